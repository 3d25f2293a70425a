"""Notices that nearly everything is refused for one reason.

Then the request is to blame and no record is: the run stops, and nothing is quarantined.
"""

from __future__ import annotations

from collections import Counter

from connector.errors import EndpointError
from connector.model import PageResult

MIN_REFUSALS = 20
"""Up to this many refused rows are never a sign that everything is refused."""

MIN_SHARE = 0.9
"""Of the records of a page that were sent."""


class SystemicGuard:
    """Watches the refusals of a run.

    Args:
        accept_all: A person said that refusals of nearly everything are to be recorded.
    """

    def __init__(self, *, accept_all: bool = False) -> None:
        self.accept_all = accept_all
        self._found = False

    def blame_request(self, code: str, number: int) -> EndpointError:
        """Blame the request and no record: no refusal of this run counts from now on.

        Args:
            code: The code of the refusals.
            number: How many records were refused with it.

        Returns:
            The error that ends the run.
        """
        self._found = True
        return EndpointError(
            f"the platform refuses nearly everything for one reason (code {code}, {number} records"
            " one after the other); none that it refused is quarantined, and the watermark stays."
            " Mend the account, the mapping or the query; if these rows really are all bad, `capi"
            " sync` with --yes quarantines them"
        )

    def review(self, result: PageResult) -> EndpointError | None:
        """Look at a page whose batches are finished.

        Where the request is to blame, its refusals are withdrawn and their rows stay open.

        Args:
            result: Of the page; refusals are taken out of it where they do not count.

        Returns:
            The error that ends the run, where this page shows that the request is to blame.
        """
        if self.accept_all:
            return None
        error = None
        sent = sum(len(batch) for batch in result.page.batches)
        codes = Counter((each.kind, each.code) for each in result.refusals.values())
        (_, code), number = codes.most_common(1)[0] if codes else ((0, ""), 0)
        if number > MIN_REFUSALS and number >= MIN_SHARE * sent:
            error = self.blame_request(code, number)
        if self._found:
            result.states[list(result.refusals)] = 0
            result.refusals.clear()
        return error
