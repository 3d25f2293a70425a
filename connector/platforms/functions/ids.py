"""UUIDs and a shop's own ids."""

from connector.identifiers import ids
from connector.platforms.functions.registry import register_columnwise

register_columnwise(ids.uuid_lower, ids.uuid4, ids.own_id, ids.any_id)
