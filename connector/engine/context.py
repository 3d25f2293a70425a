"""Everything a run needs, opened together and closed together."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection

from connector.config.destination import Destination, credentials
from connector.config.secrets import is_reference
from connector.delivery.rate_limit import RetryBudget
from connector.engine import failpoints
from connector.engine.dedupe import Deduplicator
from connector.engine.page_builder import PageBuilder, reads_under_way
from connector.errors import ConnectorError, InternalError, StateMismatch
from connector.mapping.used_columns import usable_columns
from connector.model import Batch, Mark, Page
from connector.source.reader import SourceReader
from connector.source.sql_text import fingerprint
from connector.source.watermark import Cursor
from connector.state import ledger, watermark
from connector.state.ledger import Entry
from connector.state.ledger_buffer import LedgerBuffer
from connector.state.store import Store, home, now_us, state_url
from connector.state.tables import destination as destinations
from connector.state.tables import lease, mark, run

if TYPE_CHECKING:
    from connector.delivery.sender import Sender
    from connector.mapping.serializer import Serializer


def utc_now() -> dt.datetime:
    """The moment, in UTC."""
    return dt.datetime.now(dt.UTC)


@dataclass
class RunContext:
    """A destination with its warehouse and state.

    destination_id: its number in the state; 0 where it has none yet. facts: what was seen of the source, for people.
    budget: of retries, for all that is sent within the context. tokens: access tokens that were fetched, likewise.
    """

    destination: Destination
    warehouse: SourceReader
    store: Store
    destination_id: int
    clock: Callable[[], dt.datetime] = utc_now
    facts: dict[str, int | float | None] = field(default_factory=dict)
    budget: RetryBudget = field(default_factory=RetryBudget)
    tokens: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The destination's name."""
        return self.destination.name

    @functools.cached_property
    def serializer(self) -> Serializer:
        """What makes records; neither imported nor compiled by a run that has nothing to send."""
        from connector.mapping import serializer as encode

        return encode.Serializer(self.destination)

    @functools.cached_property
    def recent(self) -> LedgerBuffer:
        """What was read of the ledger's recent entries."""
        return LedgerBuffer(self.destination_id)

    def cursor(self) -> Cursor | None:
        """The cursor column, once the source has a row."""
        return self.warehouse.cursor

    def page_builder(self, batch_size: int | None = None) -> PageBuilder:
        """Makes pages; what the ledger knows is left out."""
        size = batch_size or self.destination.batch_size
        chooser = Deduplicator(
            self.destination,
            self.warehouse,
            self.store.key(),
            self.known,
            reads_under_way(size, self.destination.concurrency),
        )
        return PageBuilder(
            self.destination, lambda: self.serializer, self.warehouse, chooser, size, self.clock
        )

    def known(self, hashes: Sequence[bytes]) -> dict[bytes, Entry]:
        """Ledger entries among these key hashes."""
        with self.store.read() as connection:
            return ledger.known(connection, self.destination_id, hashes, self.recent)

    def mark(self) -> Mark | None:
        """The high-water mark."""
        with self.store.read() as connection:
            return watermark.read(connection, self.destination_id)

    def _body(self, page: Page, batch: Batch) -> bytes:
        return self.serializer.body(batch.records, page.groups[batch.group])

    @contextmanager
    def sender(self, *, accept_all: bool = False) -> Iterator[Callable[[], Sender]]:
        """Gives the sender that sends pages, opened when it is first asked for; closed together with its connections.

        What sends is neither imported nor opened by a run that has nothing to send. Raises ConfigError for a credential that is
        not there, in such a run too.
        """
        secrets = credentials(self.destination)
        with ExitStack() as opened:

            @functools.cache
            def sender() -> Sender:
                from connector.delivery.factory import open_sender

                return opened.enter_context(
                    open_sender(
                        self.destination,
                        self._body,
                        secrets=secrets,
                        accept_all=accept_all,
                        impersonal=self.serializer.impersonal,
                        budget=self.budget,
                        tokens=self.tokens,
                        wrapped=failpoints.around,
                    )
                )

            yield sender


@contextmanager
def open_context(
    destination: Destination,
    *,
    state: URL | None = None,
    clock: Callable[[], dt.datetime] = utc_now,
) -> Iterator[RunContext]:
    """Open state and warehouse for a destination that has run before or is about to.

    state: the state database; default: what CAPI_STATE_URL says.
    """
    store = Store.open(state if state is not None else state_url(destination.root))
    warehouse = SourceReader(destination, usable_columns(destination))
    try:
        with store.read() as connection:
            row = connection.execute(
                sa.select(destinations.c.id).where(destinations.c.name == destination.name)
            ).one_or_none()
        yield RunContext(destination, warehouse, store, row.id if row is not None else 0, clock)
    except ConnectorError:
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, its text may quote a row
        raise InternalError.of(error) from None
    finally:
        warehouse.close()
        store.close()


def register(context: RunContext) -> None:
    """Make sure the state knows the destination, and that it is still the one the state knows.

    Raises StateMismatch where the state was lost, its key is another one, or the source is not the one that the mark was made with;
    where that cannot be read at all, ConfigError or WarehouseError.
    """
    changed: list[str] = []
    context.store.key()
    with context.store.write() as connection:
        row = connection.execute(
            sa.select(destinations).where(destinations.c.name == context.name)
        ).one_or_none()
        if row is None:
            _refuse_lost_state(context)
            context.destination_id = _insert(connection, context)
        else:
            context.destination_id = row.id
            _refuse_partly_lost(connection, row.id, context.name)
            changed = changes(json.loads(row.source), source_of(context.destination))
            if (
                changed
                and watermark.read(connection, row.id) is None
                and ledger.is_empty(connection, row.id)
            ):
                accept_source(connection, context)
                changed = []
    if changed:
        # Nobody can decide on a source that cannot be read.
        context.warehouse.try_query()
        raise StateMismatch(
            f"{context.name}: {' and '.join(changed)} changed since the last run, so the high-water mark may not mean what it did. If the order of rows is still the"
            f" same, run `capi resolve {context.name} --accept-change`; to begin anew, run `capi resolve {context.name} --restart all|now|TIMESTAMP`"
        )
    _witness(context).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _witness(context).touch(mode=0o600)


def source_of(destination: Destination) -> dict[str, Any]:
    """What a mark depends on, as fingerprints."""
    source = destination.model.source
    return {
        "query": fingerprint(destination.query()),
        "cursor": source.cursor,
        "key": list(source.keys),
        "time_zone": source.time_zone,
        "time_unit": source.time_unit,
        "warehouse": None
        if is_reference(source.warehouse)
        else hashlib.sha256(source.warehouse.encode()).hexdigest()[:16],
    }


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What differs between two sources, in words."""
    words = {
        "query": "the query",
        "cursor": "source.cursor",
        "key": "source.key",
        "time_zone": "source.time_zone",
        "time_unit": "source.time_unit",
        "warehouse": "source.warehouse",
    }
    return [word for name, word in words.items() if before.get(name) != after.get(name)]


def accept_source(connection: Connection, context: RunContext) -> None:
    """Take the source as it is now for the one that the mark belongs to, its clock and its types too."""
    chosen = destinations.c.id == context.destination_id
    connection.execute(
        destinations.update()
        .where(chosen)
        .values(source=json.dumps(source_of(context.destination)))
    )
    connection.execute(
        mark.update().where(mark.c.destination_id == context.destination_id).values(clock=None)
    )


def set_start(connection: Connection, destination_id: int, start: str | None) -> None:
    """Remember the cursor value from which rows are owed."""
    connection.execute(
        destinations.update().where(destinations.c.id == destination_id).values(start=start)
    )


def _insert(connection: Connection, context: RunContext) -> int:
    values = {
        "name": context.name,
        "source": json.dumps(source_of(context.destination)),
        "created_at": now_us(),
    }
    connection.execute(destinations.insert().values(values))
    number = int(
        connection.execute(
            sa.select(destinations.c.id).where(destinations.c.name == context.name)
        ).scalar_one()
    )
    connection.execute(mark.insert().values(destination_id=number, token=0))
    connection.execute(lease.insert().values(destination_id=number, token=0, expires_at=0))
    return number


def _witness(context: RunContext) -> Path:
    """An empty file that outlives the state database and tells that there was one."""
    digest = hashlib.sha256(
        f"{context.store.url.render_as_string(hide_password=True)}\n{context.name}".encode()
    ).hexdigest()[:16]
    return home(context.destination.root) / "known" / digest


def _refuse_lost_state(context: RunContext) -> None:
    if _witness(context).exists():
        raise StateMismatch(
            f"{context.name}: this destination has run before, but its state is gone, so it is not known what was delivered. Restore the state database;"
            f" or, to begin anew, run `capi resolve {context.name} --restart all|now|TIMESTAMP`"
        )


def _refuse_partly_lost(connection: Connection, destination_id: int, name: str) -> None:
    delivered = connection.execute(
        sa.select(run.c.id)
        .where(
            run.c.destination_id == destination_id, run.c.kind == "sync", run.c.mark_to.is_not(None)
        )
        .limit(1)
    ).first()
    marked = connection.execute(
        sa.select(mark.c.cursor).where(mark.c.destination_id == destination_id)
    ).scalar()
    if delivered is not None and marked is None:
        raise StateMismatch(
            f"{name}: earlier runs moved the high-water mark, but the state has none now. Restore the state database; or, to begin anew, run"
            f" `capi resolve {name} --restart all|now|TIMESTAMP`"
        )


def set_aside_witness(context: RunContext) -> None:
    """Let a destination begin anew after its state was lost."""
    _witness(context).unlink(missing_ok=True)
