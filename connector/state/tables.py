"""The tables of the state database. Times are unix microseconds; cursor values are exact text.

No table holds a payload, a digest of a person's data or a plain identifier: rows are known by
`key_hash`, a keyed hash of their key, and by a pointer into the warehouse.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

metadata = MetaData()

_id = BigInteger().with_variant(Integer, "sqlite")

installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column(
        "key_hex",
        String(64),
        nullable=True,
        comment="key of the hashes of row keys, unless CAPI_INSTALLATION_KEY gives it",
    ),
    Column(
        "fingerprint", String(16), nullable=False, comment="tells whether the key is still the same"
    ),
)

destination = Table(
    "destination",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column(
        "source",
        Text,
        nullable=False,
        comment="JSON: fingerprints of query, cursor, key and time zone",
    ),
    Column(
        "target",
        Text,
        nullable=False,
        server_default="{}",
        comment="JSON: fingerprints of platform, endpoint and account",
    ),
    Column(
        "start",
        Text,
        nullable=True,
        comment="cursor text from which rows are owed; null: from the first",
    ),
    Column("created_at", BigInteger, nullable=False),
    Column(
        "not_before",
        BigInteger,
        nullable=True,
        comment="the platform asked for patience until then",
    ),
    Column("pruned_at", BigInteger, nullable=True, comment="when old entries were last dropped"),
    Column(
        "horizon",
        BigInteger,
        nullable=True,
        comment="from when on the ledger is complete; null: nothing was ever forgotten",
    ),
)

concurrency = Table(
    "concurrency",
    metadata,
    Column("destination_id", ForeignKey("destination.id", ondelete="CASCADE"), primary_key=True),
    Column("in_flight", Integer, nullable=False, comment="requests when the last run ended"),
    Column("ceiling", Integer, nullable=True, comment="the most that was not throttled"),
    Column("throttled_at", BigInteger, nullable=True, comment="when the platform last throttled"),
)

mark = Table(
    "mark",
    metadata,
    Column("destination_id", ForeignKey("destination.id", ondelete="CASCADE"), primary_key=True),
    Column("cursor", Text, nullable=True),
    Column("key", Text, nullable=True, comment="JSON list of key texts"),
    Column(
        "token",
        BigInteger,
        nullable=False,
        comment="fencing token of the lease that may move the mark",
    ),
    Column(
        "clock", Text, nullable=True, comment="the warehouse's clock when the mark was last planned"
    ),
    Column(
        "looked",
        Text,
        nullable=True,
        comment="where the mark was when a run last looked behind it, and to the end",
    ),
)

lease = Table(
    "lease",
    metadata,
    Column("destination_id", ForeignKey("destination.id", ondelete="CASCADE"), primary_key=True),
    Column("token", BigInteger, nullable=False),
    Column("owner", String(255), nullable=True),
    Column("process", Text, nullable=True, comment="the holder's process while it is at work"),
    Column("expires_at", BigInteger, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("id", _id, primary_key=True),
    Column("run_id", String(64), nullable=False, unique=True),
    Column("destination_id", ForeignKey("destination.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column(
        "status",
        String(16),
        nullable=False,
        comment="running, complete, incomplete, failed, interrupted or refused",
    ),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=True),
    *(
        Column(name, BigInteger, nullable=False, server_default="0")
        for name in (
            "rows_read",
            "delivered",
            "rejected",
            "expired",
            "suppressed",
            "late",
            "changed",
            "ambiguous",
            "http_requests",
            "retries",
        )
    ),
    Column("mark_from", Text, nullable=True),
    Column("mark_to", Text, nullable=True),
    Column("seconds", Float, nullable=True),
    Column("failure_kind", String(32), nullable=True, comment="class of the error that ended it"),
    Column("failure", Text, nullable=True, comment="why it ended early, in a sentence"),
    Index("run_of_destination", "destination_id", "id"),
)

tally = Table(
    "tally",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column(
        "kind",
        String(16),
        primary_key=True,
        comment="rejected, expired, dropped, status, match, resent or later",
    ),
    Column("name", String(128), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

slices = Table(
    "slice",
    metadata,
    Column("destination_id", ForeignKey("destination.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("token", BigInteger, nullable=False),
    Column(
        "done_cursor",
        Text,
        nullable=True,
        comment="everything of this slice up to here is recorded",
    ),
    Column("done_key", Text, nullable=True),
    Column("complete", Boolean, nullable=False),
)

intent = Table(
    "intent",
    metadata,
    Column("destination_id", ForeignKey("destination.id", ondelete="CASCADE"), primary_key=True),
    Column("slice", Integer, primary_key=True),
    Column("page", Integer, primary_key=True),
    Column("token", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("after_cursor", Text, nullable=True),
    Column("after_key", Text, nullable=True),
    Column("to_cursor", Text, nullable=False),
    Column("to_key", Text, nullable=True),
    Column(
        "members",
        LargeBinary,
        nullable=False,
        comment="key hashes of the rows sent, 16 bytes each, in order",
    ),
    Column(
        "states",
        LargeBinary,
        nullable=False,
        server_default="",
        comment="what was recorded of each row before, one byte each",
    ),
    Column("batch_size", Integer, nullable=False),
    Column(
        "digest",
        LargeBinary,
        nullable=False,
        comment="SHA-256 of the records, to see that a resend is the same",
    ),
    Column(
        "as_of", BigInteger, nullable=False, comment="the moment that the records were made for"
    ),
)

receipt = Table(
    "receipt",
    metadata,
    Column("destination_id", ForeignKey("destination.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "receipt",
        String(255),
        primary_key=True,
        comment="under which the platform tells the final result of a request",
    ),
    Column("run_id", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _id, primary_key=True),
    Column("destination_id", ForeignKey("destination.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column(
        "entries",
        LargeBinary,
        nullable=False,
        comment="an Arrow stream of what became of rows, until it is written to the audit's files",
    ),
    Index("audit_of_destination", "destination_id", "run_id", "id"),
    sqlite_autoincrement=True,
)

ledger = Table(
    "ledger",
    metadata,
    Column("destination_id", SmallInteger, primary_key=True),
    Column("key_hash", LargeBinary(16), primary_key=True),
    Column("state", SmallInteger, nullable=False),
    Column("at", Integer, nullable=False, comment="unix seconds when it was recorded"),
    Column(
        "place", Integer, nullable=False, comment="digest of the cursor value that the row had then"
    ),
    Column(
        "version",
        LargeBinary(8),
        nullable=True,
        comment="of the row's values, where changes are sent",
    ),
    sqlite_with_rowid=False,
)

recent = Table(
    "recent",
    metadata,
    Column("id", _id, primary_key=True),
    Column("destination_id", SmallInteger, nullable=False),
    Column("part", SmallInteger, nullable=False, comment="the first bits of the key hashes"),
    Column("rows", Integer, nullable=False),
    Column("at", Integer, nullable=False, comment="unix seconds when they were recorded"),
    Column(
        "entries",
        LargeBinary,
        nullable=False,
        comment="newer entries of the ledger, which its table does not hold yet",
    ),
    Index("recent_of_part", "destination_id", "part", "rows"),
    sqlite_autoincrement=True,
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", _id, primary_key=True),
    Column("destination_id", ForeignKey("destination.id", ondelete="CASCADE"), nullable=False),
    Column("key_hash", LargeBinary(16), nullable=False),
    Column(
        "key",
        Text,
        nullable=True,
        comment="JSON list of key texts; null where the key may describe a person",
    ),
    Column("cursor", Text, nullable=True),
    Column(
        "state", String(16), nullable=False, comment="rejected, dead, expired or ambiguous_expired"
    ),
    Column("reason", String(64), nullable=False),
    Column("field", String(128), nullable=True),
    Column("code", String(64), nullable=True),
    Column("message", String(200), nullable=True, comment="the platform's words, redacted"),
    Column("attempts", Integer, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Index("quarantine_of_key", "destination_id", "key_hash", unique=True),
)

act = Table(
    "act",
    metadata,
    Column("id", _id, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column(
        "destination",
        String(255),
        nullable=True,
        comment="its name, which outlives the destination; null: all",
    ),
    Column("verb", String(16), nullable=False),
    Column("person", String(255), nullable=False, comment="CAPI_ACTOR, otherwise user and host"),
    Column("details", Text, nullable=False, comment="JSON; rows by the hash of their key alone"),
)

alert = Table(
    "alert",
    metadata,
    Column("destination_id", ForeignKey("destination.id", ondelete="CASCADE"), primary_key=True),
    Column("channel", String(16), primary_key=True, comment="webhook, email or pagerduty"),
    Column("kind", String(16), primary_key=True),
    Column("active", Boolean, nullable=False, comment="whether it is wrong now, or over"),
    Column("told", Boolean, nullable=False, comment="whether people know"),
    Column("claimed_at", BigInteger, nullable=False, comment="when a process began to tell it"),
)
