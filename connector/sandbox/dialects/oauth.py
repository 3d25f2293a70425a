"""Access tokens for refresh tokens, as an authorization server gives them. RFC 6749, section 6."""

from __future__ import annotations

import secrets as random
import time
from urllib.parse import parse_qsl

from connector.sandbox.dialect import Received, Reply, bearer, remember, same
from connector.sandbox.fixtures import Fixtures


def give_token(received: Received, answers: Fixtures, prefix: str) -> Reply:
    """Answer a request for an access token.

    Args:
        received: The request, a form.
        answers: Of the platform: `token`, `no_client`, `no_grant_type` and `no_grant`.
        prefix: What its access tokens begin with.
    """
    known = received.state.secrets
    form = dict(parse_qsl(received.raw.decode("utf-8", "replace")))
    if not (
        same(form.get("client_id"), known.client_id)
        and same(form.get("client_secret"), known.client_secret)
    ):
        return answers.reply("no_client")
    if form.get("grant_type") != "refresh_token":
        return answers.reply("no_grant_type")
    if not same(form.get("refresh_token"), known.refresh_token):
        return answers.reply("no_grant")
    token = f"{prefix}{random.token_urlsafe(24)}"
    remember(received.state.access, token, time.time() + known.token_lifetime)
    return answers.reply("token", token=token, seconds=int(known.token_lifetime))


def has_token(received: Received) -> bool:
    """Whether a request carries an access token that has not ended."""
    return received.state.access.get(bearer(received) or "", 0) > time.time()
