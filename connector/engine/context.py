"""Everything a run needs, opened together and closed together."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connector.config.credentials import credentials
from connector.config.destination import Destination
from connector.delivery.retry_budget import RetryBudget
from connector.engine import failpoints
from connector.engine.dedupe import Deduplicator
from connector.engine.instrumentation import Instrumentation
from connector.engine.page_builder import PageBuilder, reads_under_way
from connector.errors import ConnectorError, InternalError, StateError
from connector.mapping.coverage import usable_columns
from connector.model import Batch, Mark, Page
from connector.source.given import GivenRows
from connector.source.reader import SourceReader
from connector.source.rows import Rows
from connector.source.survey import Survey
from connector.source.watermark import Cursor
from connector.state import concurrency, ledger, registry, watermark
from connector.state.clock import utc_now
from connector.state.ledger import Entry
from connector.state.ledger_buffer import LedgerBuffer
from connector.state.store import Store, state_url

if TYPE_CHECKING:
    from connector.delivery.concurrency import ConcurrencyLimit
    from connector.delivery.sender import Sender
    from connector.mapping.serializer import Serializer


@dataclass
class RunContext:
    """A destination with its warehouse and state.

    Attributes:
        destination: From its YAML.
        warehouse: Reads its source.
        store: The state database.
        destination_id: Its number in the state; 0 where it has none yet.
        clock: Gives the moment, in UTC.
        facts: What was seen of the source, for people.
        surveyed: What the run's survey found, once its guards have passed.
        recorded: Counts of what was recorded within the context.
        budget: Of retries, for all that is sent within the context.
        tokens: Access tokens that were fetched within the context.
    """

    destination: Destination
    warehouse: SourceReader
    store: Store
    destination_id: int
    clock: Callable[[], dt.datetime] = utc_now
    facts: dict[str, int | float | None] = field(default_factory=dict)
    surveyed: Survey | None = None
    recorded: Counter[str] = field(default_factory=Counter)
    budget: RetryBudget = field(default_factory=RetryBudget)
    tokens: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The destination's name."""
        return self.destination.name

    @functools.cached_property
    def serializer(self) -> Serializer:
        """What makes records."""
        # Late: a run that has nothing to send neither imports nor compiles it.
        from connector.mapping.serializer import Serializer

        return Serializer(self.destination)

    @functools.cached_property
    def concurrency(self) -> ConcurrencyLimit:
        """Slots of batches in flight, for all that is sent within the context.

        It begins where the last run ended.
        """
        # Late: as for what sends.
        from connector.delivery.concurrency import ConcurrencyLimit, Learned

        kept = None
        if self.destination_id:
            with self.store.read() as connection:
                kept = concurrency.read(connection, self.destination_id)
        learned = kept and Learned(
            kept.in_flight,
            kept.ceiling,
            None if kept.throttled_at is None else kept.throttled_at / 1_000_000,
        )
        return ConcurrencyLimit(self.destination.concurrency, learned)

    @functools.cached_property
    def instrumentation(self) -> Instrumentation:
        """Tells hooks for metrics what happens."""
        return Instrumentation(self.destination)

    @functools.cached_property
    def recent(self) -> LedgerBuffer:
        """What was read of the ledger's recent entries."""
        return LedgerBuffer(self.destination_id)

    def cursor(self) -> Cursor | None:
        """The cursor column, once the source has a row."""
        return self.warehouse.cursor

    def page_builder(
        self, batch_size: int | None = None, horizon: dt.datetime | None = None
    ) -> PageBuilder:
        """Makes pages, without the rows that the ledger has settled.

        Args:
            batch_size: Records a request at most; default: what the destination says.
            horizon: Rows from before it without a record are expired.
        """
        size = batch_size or self.destination.batch_size
        deduplicator = Deduplicator(
            self.destination,
            self.warehouse,
            self.store.key(),
            self.known,
            reads_under_way(size, self.destination.concurrency),
        )
        return PageBuilder(
            self.destination,
            lambda: self.serializer,
            self.warehouse,
            deduplicator,
            size,
            self.clock,
            horizon,
        )

    def known(self, hashes: Sequence[bytes]) -> dict[bytes, Entry]:
        """Ledger entries among these key hashes."""
        with self.store.read() as connection:
            return ledger.known(connection, self.destination_id, hashes, self.recent)

    def watermark(self) -> Mark | None:
        """The watermark; None before the first page."""
        with self.store.read() as connection:
            return watermark.read(connection, self.destination_id)

    def _body(self, page: Page, batch: Batch) -> bytes:
        return self.serializer.body(batch.records, page.groups[batch.group])

    @contextmanager
    def sender(self, *, accept_all: bool = False) -> Iterator[Callable[[], Sender]]:
        """Gives a function that opens the sender when it is first called; closes it at the end.

        Args:
            accept_all: A person agreed to refusals of nearly all records.

        Raises:
            ConfigError: A credential is not there, also in a run that has nothing to send.
        """
        secrets = credentials(self.destination)
        with ExitStack() as opened:

            @functools.cache
            def sender() -> Sender:
                # Late: a run that has nothing to send does without it.
                from connector.delivery.factory import open_sender
                from connector.delivery.redact import Redactor

                return opened.enter_context(
                    open_sender(
                        self.destination,
                        self._body,
                        concurrency=self.concurrency,
                        redactor=Redactor(
                            self.destination.model.privacy.platform_messages,
                            self.destination.platform.answers.codes,
                            self.serializer.field_names,
                            self.serializer.impersonal,
                            secrets,
                        ),
                        accept_all=accept_all,
                        budget=self.budget,
                        tokens=self.tokens,
                        wrap=failpoints.around,
                        on_retry=self.instrumentation.retry,
                    )
                )

            yield sender
            if sender.cache_info().currsize:
                self.keep_concurrency()

    def keep_concurrency(self) -> None:
        """Leave to the next run how many requests in flight the platform took, if any were sent."""
        if "concurrency" not in vars(self):
            return
        learned = self.concurrency.learned
        at = learned.throttled_at
        kept = concurrency.Kept(
            learned.limit, learned.ceiling, None if at is None else int(at * 1_000_000)
        )
        # A run without its report would be worse than one that begins where the last one did.
        with contextlib.suppress(StateError):
            if self.destination_id:
                with self.store.write() as connection:
                    concurrency.keep(connection, self.destination_id, kept)


@contextmanager
def open_context(
    destination: Destination,
    *,
    state: str | None = None,
    given: Rows | None = None,
) -> Iterator[RunContext]:
    """Open state and warehouse for a destination that has run before or is about to.

    Args:
        destination: From its YAML.
        state: SQLAlchemy URL of the state database; default: what CAPI_STATE_URL says.
        given: Rows of a program, which are looked for before those of the warehouse.

    Raises:
        InternalError: In place of any exception that this package does not know.
    """
    store = Store.open(state_url(destination.root, state))
    columns = usable_columns(destination)
    warehouse = (
        SourceReader(destination, columns)
        if given is None
        else GivenRows(destination, columns, given)
    )
    try:
        with store.read() as connection:
            destination_id = registry.find(connection, destination.name)
        yield RunContext(destination, warehouse, store, destination_id)
    except ConnectorError:
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, its text may quote a row
        raise InternalError.of(error) from None
    finally:
        warehouse.close()
        store.close()
