"""A token as a key of the JSON body, with Meta's proof that the app secret is known."""

from __future__ import annotations

import hashlib
import hmac

import orjson

from connector.delivery.auth.base import HIDDEN, NoAuth
from connector.delivery.transports.base import HttpRequest


class BodyAuth(NoAuth):
    """A key of the body with a token.

    Args:
        name: key of the token.
        token: its value.
        proof_name: key of the proof, which is the hex HMAC-SHA256 of the token under the app
            secret (developers.facebook.com, "Securing Graph API requests").
        app_secret: without it no proof is sent.
    """

    def __init__(
        self, name: str, token: str, proof_name: str | None = None, app_secret: str | None = None
    ) -> None:
        fields = {name: token}
        if proof_name and app_secret:
            fields[proof_name] = HIDDEN if app_secret == HIDDEN else _proof(token, app_secret)
        self._prefix = orjson.dumps(fields)[:-1] + b","

    def sign(self, request: HttpRequest) -> HttpRequest:
        """Put the token in front of the other keys."""
        return request._replace(body=b"".join((self._prefix, memoryview(request.body)[1:])))


def _proof(token: str, app_secret: str) -> str:
    return hmac.new(app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
