"""How a platform's answers are understood: the `answers` part of a platform file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from connector.platforms.strict import StrictModel


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Success(StrictModel):
    """What a body must say before its records count as delivered.

    Attributes:
        status: Statuses of success.
        empty: Statuses for which an empty body will do.
        text: Bodies, in lower case, that are a yes in words.
        count: Dotted path that must equal the number of records sent.
        count_in: Dotted path -> regular expression whose group must equal it. At least one of
            the paths must hold a value, and none may disagree.
        present: Dotted paths that must hold a value.
        equals: Dotted path -> values that mean success.
        only: Keys that a body may have at most, where an empty object says yes.
        error: Dotted paths that must be absent, empty or false.
        failure: Dotted path -> values, in lower case, that mean no, whatever the status says.
    """

    status: list[int] = [200, 201]
    empty: list[int] = []
    text: list[str] = []
    count: str | None = None
    count_in: dict[str, str] = {}
    present: list[str] = []
    equals: dict[str, list[str | int | bool]] = {}
    only: list[str] | None = None
    error: list[str] = []
    failure: dict[str, list[str | int | bool]] = {
        "success": [False, "false"],
        "ok": [False, "false"],
        "status": ["error", "fail", "failed", "failure", "invalid", "rejected"],
    }


class Located(StrictModel):
    """Where an answer names the records it refuses.

    Attributes:
        path: Dotted path to a list of entries; several are tried; `.` is the body as the only
            entry.
        index: Key of an entry that holds the position, a number or its text; none where entries
            stand in request order.
        first: Position of the first record, where platforms count from 1.
        taken: Dotted path to a list of entries that name, by the same key, the records that were
            accepted; those that neither list names are sent again.
        text: Dotted paths to texts; `*` steps into lists.
        pattern: Regular expressions for them. The first group is a position, or several with
            commas; a group named `field` is the field.
        echo: Path in an entry -> path in the record that it repeats. Beside an `index` it must
            agree with it; otherwise the record is the one that is repeated.
        code, field: Paths in an entry, or beside a text.
        message: Likewise; several are tried.
        warning: Key that marks an entry as harmless.
        ok: Key -> values that mean the record was accepted.
        validator: Path of an address that judges the same body, takes none of it and names every
            bad record, where answers name the first one alone. A refused batch is sent there once.
    """

    path: list[str] = []
    index: str | None = None
    first: int = 0
    taken: str | None = None
    text: list[str] = []
    pattern: list[str] = []
    echo: dict[str, str] = {}
    code: str | None = None
    message: Annotated[list[str], BeforeValidator(_listed)] = []
    field: str | None = None
    warning: str | None = None
    ok: dict[str, list[str | int | bool]] = {}
    validator: str | None = None


class Code(StrictModel):
    """What one error code means, and what a person can do about it."""

    means: Literal["retry", "ambiguous", "auth", "halt", "refused", "delivered"]
    remedy: str = ""


class Codes(StrictModel):
    """The platform's error registry.

    Attributes:
        path: Where codes stand; several are tried. `*` steps into lists; `a/b` joins two with a
            slash; `header.x-error-code` is a response header.
        known: Code -> meaning. A code that ends in * matches every code that starts so.
    """

    path: list[str] = []
    known: dict[str, Code] = {}

    def registered(self, code: str) -> str | None:
        """A code as it stands in `known`."""
        if code in self.known:
            return code
        patterns = (name for name in self.known if name.endswith("*"))
        return next((name for name in patterns if code.startswith(name[:-1])), None)

    def find(self, code: str) -> Code | None:
        """What is known of a code."""
        name = self.registered(code)
        return None if name is None else self.known[name]


class Poll(StrictModel):
    """Where the final result of an accepted request can be asked for later.

    Attributes:
        receipt: Dotted path in the answer.
        path, param: Of the address that is asked.
        states: Dotted path to the results; `*` steps into lists.
        pending: States that are not final.
        success: Final states of a request of which every record was taken; without them nothing is
            said about the other ones.
        known: States and reasons that there are; another one is counted without its name.
        counts: Dotted path to entries of reason and count.
        reason, count: Keys of such an entry.
    """

    receipt: str
    path: str
    param: str
    states: str
    pending: list[str] = []
    success: list[str] = []
    known: list[str] = []
    counts: str | None = None
    reason: str = "reason"
    count: str = "recordCount"


class Answers(StrictModel):
    """How an answer is understood.

    Attributes:
        success: What counts as delivered.
        codes: The error registry.
        located: Where refused records are named.
        partial: Statuses of answers after which records that are not named as refused were
            processed.
        message: Dotted paths to where the platform says why; `header.x-error` is a response header.
        status: What single statuses mean, before the table of `connector.delivery.status`.
        transient: Dotted paths that hold true where the request may be tried again.
        poll: Where the final result can be asked for.
    """

    success: Success = Success()
    codes: Codes = Codes()
    located: Located = Located()
    partial: list[int] = []
    message: list[str] = Field(
        ["error.message", "message", "error"], description="where the platform says why"
    )
    status: dict[
        int,
        Literal["read", "refused", "too_large", "retry", "ambiguous", "duplicate", "auth", "halt"],
    ] = {}
    transient: list[str] = []
    poll: Poll | None = None
