"""OAuth 1.0a user context, HMAC-SHA1 (RFC 5849); a JSON body is not part of the signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
import urllib.parse
from collections.abc import Callable, Mapping

from connector.delivery.auth.base import HIDDEN, NoAuth
from connector.delivery.transports.base import HttpRequest


class OAuth1(NoAuth):
    """The Authorization header of RFC 5849, section 3.5.1.

    Args:
        consumer_key: of the app.
        consumer_secret: of the app.
        token: access token of the user.
        token_secret: belonging to the token.
        clock: unix seconds.
        nonce: makes a text that is used once.
    """

    def __init__(
        self,
        consumer_key: str,
        consumer_secret: str,
        token: str,
        token_secret: str,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._consumer_key, self._token = consumer_key, token
        self._hidden = consumer_secret == HIDDEN
        self._signing_key = f"{_quote(consumer_secret)}&{_quote(token_secret)}".encode()
        self._clock, self._nonce = clock, nonce

    def sign(self, request: HttpRequest) -> HttpRequest:
        """Add the Authorization header, with a new nonce."""
        if self._hidden:
            header = HIDDEN
        else:
            fields = {
                "oauth_consumer_key": self._consumer_key,
                "oauth_nonce": self._nonce(),
                "oauth_signature_method": "HMAC-SHA1",
                "oauth_timestamp": str(int(self._clock())),
                "oauth_token": self._token,
                "oauth_version": "1.0",
            }
            base_string = _signature_base_string(request, fields).encode()
            signature = hmac.new(self._signing_key, base_string, hashlib.sha1).digest()
            fields["oauth_signature"] = base64.b64encode(signature).decode()
            header = ", ".join(f'{name}="{_quote(fields[name])}"' for name in sorted(fields))
        return request._replace(headers={**request.headers, "Authorization": f"OAuth {header}"})


def _signature_base_string(request: HttpRequest, fields: Mapping[str, str]) -> str:
    """RFC 5849, section 3.4.1: method, address and all parameters, sorted as encoded text."""
    url = urllib.parse.urlsplit(request.url)
    query = urllib.parse.parse_qsl(url.query, keep_blank_values=True)
    pairs = sorted((_quote(name), _quote(value)) for name, value in [*fields.items(), *query])
    parameters = "&".join(f"{name}={value}" for name, value in pairs)
    address = f"{url.scheme}://{url.netloc}{url.path}"
    return "&".join([request.method, _quote(address), _quote(parameters)])


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="-._~")
