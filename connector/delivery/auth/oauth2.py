"""OAuth 2.0: a bearer token, fetched in exchange for a refresh token (RFC 6749, section 6)."""

from __future__ import annotations

import threading
import urllib.parse
from collections.abc import Mapping, MutableMapping

from connector.delivery.auth.base import HIDDEN, NoAuth
from connector.delivery.json_path import parse_json, value_at
from connector.delivery.transports.base import (
    HttpRequest,
    HttpResponse,
    Transport,
    TransportFailure,
)
from connector.errors import EndpointError

_ERROR_CODES = (
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
)
"""What an authorization server may answer (RFC 6749, section 5.2); no other word is repeated."""

_NEXT_RUN = "nothing is sent without one, and the next run asks again"


class OAuth2(NoAuth):
    """A bearer token that one thread fetches when it is needed, while the others wait.

    Args:
        transport: reaches the authorization server.
        token_url: address of its token endpoint.
        fields: of the request, beside the grant type.
        tokens: access tokens by token endpoint, shared by all who use them; one that is there
            already is used.
        credentials: the settings that hold `fields`, for whoever has to renew one.
        client_id_header: header that repeats the client id, where the platform wants to know it.
    """

    def __init__(
        self,
        transport: Transport,
        token_url: str,
        fields: Mapping[str, str],
        tokens: MutableMapping[str, str] | None = None,
        credentials: str = "auth.client_id, auth.client_secret and auth.refresh_token",
        client_id_header: str | None = None,
    ) -> None:
        self._transport, self._token_url, self._fields = transport, token_url, dict(fields)
        self._tokens: MutableMapping[str, str] = {} if tokens is None else tokens
        if HIDDEN in fields.values():
            self._tokens = {token_url: HIDDEN}
        self._credentials = credentials
        self._beside = {client_id_header: fields["client_id"]} if client_id_header else {}
        self._refused = ""
        self._lock = threading.Lock()

    def sign(self, request: HttpRequest) -> HttpRequest:
        """Add the bearer token, fetching the first one.

        Raises:
            EndpointError: there is no token to be had.
        """
        with self._lock:
            if self._token_url not in self._tokens:
                self._fetch()
        bearer = f"Bearer {self._tokens[self._token_url]}"
        headers = {**request.headers, **self._beside, "Authorization": bearer}
        return request._replace(headers=headers)

    def refresh(self) -> bool:
        """Fetch a new token. Raises EndpointError where there is none to be had."""
        with self._lock:
            self._fetch()
        return True

    def _fetch(self) -> None:
        """Ask once, whatever the response: repeated wrong credentials may lock the account."""
        if not self._refused:
            fields = {"grant_type": "refresh_token", **self._fields}
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            body = urllib.parse.urlencode(fields).encode()
            response = self._transport.send(HttpRequest("POST", self._token_url, headers, body))
            if isinstance(response, HttpResponse) and response.status == 200:
                token = _text_in(response, "access_token")
                if token is not None:
                    self._tokens[self._token_url] = token
                    return
            self._refused = _no_token(response, self._credentials)
        raise EndpointError(self._refused)


def _no_token(response: HttpResponse | TransportFailure, credentials: str) -> str:
    """Say why there is no access token, and who has to do what."""
    if isinstance(response, TransportFailure):
        return (
            "the authorization server could not be asked for an access token"
            f" ({response.detail}); {_NEXT_RUN}"
        )
    gave_none = "the authorization server gave no access token"
    if response.status == 429 or response.status >= 500:
        return f"{gave_none} (HTTP {response.status}); {_NEXT_RUN}"
    error = _text_in(response, "error")
    if error == "invalid_grant":
        return (
            f"{gave_none}, because the refresh token is wrong, has expired or was revoked"
            f" (invalid_grant); make a new one, and check {credentials}"
        )
    code = f", {error}" if error in _ERROR_CODES else ""
    return f"{gave_none} (HTTP {response.status}{code}); check {credentials}"


def _text_in(response: HttpResponse, name: str) -> str | None:
    """Return a non-empty text at a key of the response's JSON object."""
    text = value_at(parse_json(response.body), name)
    return text if isinstance(text, str) and text else None
