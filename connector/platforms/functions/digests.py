"""Digests, and digests that were made elsewhere."""

from connector.identifiers import digest
from connector.platforms.functions.registry import register_columnwise

register_columnwise(digest.sha256_hex, digest.sha256_b64, digest.prehashed_hex)
