"""How requests to a platform are made: address, account, credentials, size and rate, test mode."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from connector.platforms.answers import Success
from connector.platforms.strict import StrictModel
from connector.syntax.units import Rate


class AccountField(StrictModel):
    """One key that a destination must give under `account`.

    Attributes:
        type: What it may hold.
        optional: It may be left out.
        choices: The words that it may be.
        default: What stands for it where it is left out.
        identifies: Whether another value is another account, of which the ledger knows nothing;
            false for the name of who sends.
    """

    type: Literal["text", "integer", "digits"] = "text"
    optional: bool = False
    choices: list[str] | None = None
    default: str | None = None
    identifies: bool = True


class AuthSpec(StrictModel):
    """How requests prove who sends them.

    Attributes:
        method: The scheme; `any` takes whatever credentials the destination gives.
        name: Header, query parameter or body key that carries the token.
        proof: Body key for the HMAC of the token.
        token_url, scope: Of OAuth 2.0.
        client_id_header: Header in which OAuth 2.0's client id goes with every request.
    """

    method: Literal["any", "bearer", "header", "query", "body", "oauth2", "oauth1", "none"]
    name: str = "Authorization"
    proof: str | None = Field(
        None,
        description="body key for hex HMAC-SHA256(app_secret, token), where app_secret is given",
    )
    token_url: str | None = Field(None, description="oauth2: where a refresh token is exchanged")
    scope: str | None = None
    client_id_header: str | None = None


class RequestLimits(StrictModel):
    """What one request may carry and how fast requests may follow each other."""

    max_events: Annotated[int, Field(ge=1)] = 1
    max_bytes: Annotated[int, Field(ge=1)] = 1024 * 1024
    rate: Rate | None = None
    concurrency: Annotated[int, Field(ge=1, le=64)] = 8


class TestMode(StrictModel):
    """How the platform is asked to validate without counting.

    Attributes:
        method: `body` and `query` add `name`; `path` uses another path.
        name: Key or parameter to add; a dotted path in the body.
        value: What is added, or the other path; without it the destination's `test_mode` gives a
            text.
        counts: Whether the platform counts test events all the same.
        max_events: Records of a test request, where it may carry fewer.
        success: What a body says in test mode, where that is something else than usual.
    """

    method: Literal["body", "query", "path"]
    name: str = ""
    value: str | bool | None = None
    counts: bool = False
    max_events: Annotated[int, Field(ge=1)] | None = None
    success: Success | None = None
