"""Credentials: each scheme is a small class with one method, `sign`, that adds itself to a call.

Secrets are read when a run starts, live in these objects alone, and are never part of their repr.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping, MutableMapping
from typing import Protocol

import orjson

from connector.config.credentials import credential, named_credentials
from connector.config.destination import Destination
from connector.delivery.transports.base import Answer, Call, Transport, TransportFailure
from connector.errors import EndpointError

HIDDEN = "***"


class Auth(Protocol):
    """One way to prove who sends a call."""

    def sign(self, call: Call) -> Call:
        """The call with its proof; called anew for every attempt."""
        ...

    def refresh(self) -> bool:
        """Get a new token after a 401; False where there is none to get."""
        ...


class NoAuth:
    """The platform knows the sender by other means."""

    def sign(self, call: Call) -> Call:
        """Nothing to add."""
        return call

    def refresh(self) -> bool:
        """Nothing to refresh."""
        return False


class HeaderAuth(NoAuth):
    """A token in a header: `Authorization: Bearer ...`, `X-Api-Key: ...`, `Access-Token: ...`."""

    def __init__(self, name: str, token: str, prefix: str = "") -> None:
        self._name, self._token, self._prefix = name, token, prefix

    def sign(self, call: Call) -> Call:
        """Add the header."""
        return call._replace(headers={**call.headers, self._name: self._prefix + self._token})


class QueryAuth(NoAuth):
    """A token in the query, for platforms that know no other way; such addresses are never logged."""

    def __init__(self, name: str, token: str) -> None:
        self._name, self._token = name, token

    def sign(self, call: Call) -> Call:
        """Add the parameter."""
        joint = "&" if "?" in call.url else "?"
        return call._replace(
            url=f"{call.url}{joint}{self._name}={urllib.parse.quote(self._token, safe=HIDDEN)}"
        )


class BodyAuth(NoAuth):
    """A token as a key of the JSON body. proof: Meta's hex HMAC-SHA256 of the token under the app secret."""

    def __init__(
        self, name: str, token: str, proof_name: str | None = None, app_secret: str | None = None
    ) -> None:
        fields = {name: token}
        if proof_name and app_secret:
            shown = app_secret == HIDDEN
            fields[proof_name] = (
                HIDDEN
                if shown
                else hmac.new(app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
            )
        self._head = orjson.dumps(fields)[:-1] + b","

    def sign(self, call: Call) -> Call:
        """Put the token in front of the other keys."""
        return call._replace(body=b"".join((self._head, memoryview(call.body)[1:])))


class HmacAuth(NoAuth):
    """A signature over the exact bytes: `X-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`.

    A receiver should refuse signatures older than five minutes and compare in constant time.
    """

    def __init__(self, header: str, key: str, clock: Callable[[], float] = time.time) -> None:
        self._header, self._key, self._clock = header, key, clock

    def sign(self, call: Call) -> Call:
        """Add the header, with the time of this attempt."""
        if self._key == HIDDEN:
            return call._replace(headers={**call.headers, self._header: f"t={HIDDEN},v1={HIDDEN}"})
        stamp = str(int(self._clock()))
        digest = hmac.new(
            self._key.encode(), stamp.encode() + b"." + call.body, hashlib.sha256
        ).hexdigest()
        return call._replace(headers={**call.headers, self._header: f"t={stamp},v1={digest}"})


class Both(NoAuth):
    """Two schemes at once, such as a bearer token and a signature; the second signs what the first left."""

    def __init__(self, first: Auth, second: Auth) -> None:
        self._first, self._second = first, second

    def sign(self, call: Call) -> Call:
        """Apply both."""
        return self._second.sign(self._first.sign(call))


class OAuth2(NoAuth):
    """A bearer token that is exchanged for a refresh token when needed (RFC 6749, section 6); by one thread, while the others wait.

    tokens: where the token is kept, by its address; one that is there already is used. credentials: the settings that hold `fields`, for whoever
    has to renew one.
    """

    def __init__(
        self,
        transport: Transport,
        token_url: str,
        fields: Mapping[str, str],
        tokens: MutableMapping[str, str] | None = None,
        credentials: str = "auth.client_id, auth.client_secret and auth.refresh_token",
    ) -> None:
        self._transport, self._token_url, self._fields = transport, token_url, dict(fields)
        self._tokens: MutableMapping[str, str] = (
            {token_url: HIDDEN}
            if HIDDEN in fields.values()
            else tokens
            if tokens is not None
            else {}
        )
        self._credentials = credentials
        self._refused = ""
        self._lock = threading.Lock()

    def sign(self, call: Call) -> Call:
        """Add the bearer token, fetching the first one."""
        with self._lock:
            if self._token_url not in self._tokens:
                self._fetch()
        return call._replace(
            headers={**call.headers, "Authorization": f"Bearer {self._tokens[self._token_url]}"}
        )

    def refresh(self) -> bool:
        """Fetch a new token."""
        with self._lock:
            self._fetch()
        return True

    def _fetch(self) -> None:
        """Asked once, whatever the answer: a server that sees wrong credentials again and again may lock the account."""
        body = urllib.parse.urlencode({"grant_type": "refresh_token", **self._fields}).encode()
        call = Call(
            "POST", self._token_url, {"Content-Type": "application/x-www-form-urlencoded"}, body
        )
        if not self._refused:
            answer = self._transport.send(call)
            token = (
                _text_of(answer, "access_token")
                if isinstance(answer, Answer) and answer.status == 200
                else None
            )
            if token is not None:
                self._tokens[self._token_url] = token
                return
            self._refused = _no_token(answer, self._credentials)
        raise EndpointError(self._refused)


_ERRORS = (
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
)
"""What an authorization server may answer (RFC 6749, section 5.2); other words of it are not repeated."""


def _no_token(answer: Answer | TransportFailure, credentials: str) -> str:
    """Why there is no access token, and who has to do what."""
    if isinstance(answer, TransportFailure):
        return f"the authorization server could not be asked for an access token ({answer.detail}); nothing is sent without one, and the next run asks again"
    if answer.status == 429 or answer.status >= 500:
        return f"the authorization server gave no access token (HTTP {answer.status}); nothing is sent without one, and the next run asks again"
    error = _text_of(answer, "error")
    if error == "invalid_grant":
        return f"the authorization server gave no access token, because the refresh token is wrong, has expired or was revoked (invalid_grant); make a new one, and check {credentials}"
    named = f"HTTP {answer.status}, {error}" if error in _ERRORS else f"HTTP {answer.status}"
    return f"the authorization server gave no access token ({named}); check {credentials}"


def _text_of(answer: Answer, name: str) -> str | None:
    """A text in the JSON of an answer."""
    try:
        text = orjson.loads(answer.body)[name]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return text if isinstance(text, str) and text else None


class OAuth1(NoAuth):
    """OAuth 1.0a user context, HMAC-SHA1 (RFC 5849); a JSON body is not part of the signature."""

    def __init__(
        self,
        consumer_key: str,
        consumer_secret: str,
        token: str,
        token_secret: str,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._consumer_key, self._consumer_secret = consumer_key, consumer_secret
        self._token, self._token_secret = token, token_secret
        self._clock, self._nonce = clock, nonce

    def sign(self, call: Call) -> Call:
        """Add the Authorization header, with a new nonce."""
        if self._consumer_secret == HIDDEN:
            return call._replace(headers={**call.headers, "Authorization": f"OAuth {HIDDEN}"})
        fields = {
            "oauth_consumer_key": self._consumer_key,
            "oauth_nonce": self._nonce(),
            "oauth_signature_method": "HMAC-SHA1",
            "oauth_timestamp": str(int(self._clock())),
            "oauth_token": self._token,
            "oauth_version": "1.0",
        }
        parts = urllib.parse.urlsplit(call.url)
        pairs = sorted(
            (_quoted(name), _quoted(value))
            for name, value in [
                *fields.items(),
                *urllib.parse.parse_qsl(parts.query, keep_blank_values=True),
            ]
        )
        parameters = "&".join(f"{name}={value}" for name, value in pairs)
        base = "&".join(
            [
                call.method,
                _quoted(f"{parts.scheme}://{parts.netloc}{parts.path}"),
                _quoted(parameters),
            ]
        )
        key = f"{_quoted(self._consumer_secret)}&{_quoted(self._token_secret)}"
        signature = base64.b64encode(
            hmac.new(key.encode(), base.encode(), hashlib.sha1).digest()
        ).decode()
        header = ", ".join(
            f'{name}="{_quoted(value)}"'
            for name, value in sorted({**fields, "oauth_signature": signature}.items())
        )
        return call._replace(headers={**call.headers, "Authorization": f"OAuth {header}"})


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="-._~")


def auth_for(
    destination: Destination,
    transport: Transport | None,
    *,
    hidden: bool = False,
    tokens: MutableMapping[str, str] | None = None,
) -> Auth:
    """The scheme that a destination's platform asks for, with its secrets read.

    tokens: where access tokens are kept that several of these share. hidden: secrets are not read and show as `***`, for previews. Raises ConfigError for a secret that is not there.
    """
    given, spec = destination.model.auth, destination.platform.auth

    def secret(name: str) -> str:
        return HIDDEN if hidden else credential(destination, name)

    token_name = "bearer" if given.bearer else "token" if given.token else "api_key"
    if spec.method == "none":
        return NoAuth()
    if spec.method == "oauth1":
        return OAuth1(
            secret("consumer_key"),
            secret("consumer_secret"),
            secret("token"),
            secret("token_secret"),
        )
    if spec.method == "oauth2" and not (given.bearer or given.token):
        assert spec.token_url is not None
        fields = {name: secret(name) for name in ("client_id", "client_secret", "refresh_token")}
        if transport is None and not hidden:
            raise ValueError("OAuth 2.0 needs a transport")
        return OAuth2(transport, spec.token_url, fields, tokens, named_credentials(destination))  # type: ignore[arg-type]
    if spec.method == "query":
        return QueryAuth(spec.name, secret(token_name))
    if spec.method == "body":
        return BodyAuth(
            spec.name,
            secret(token_name),
            spec.proof,
            secret("app_secret") if given.app_secret else None,
        )
    if spec.method == "header":
        return HeaderAuth(spec.name, secret(token_name))
    auth: Auth = NoAuth()
    if given.bearer or given.token:
        auth = HeaderAuth("Authorization", secret(token_name), "Bearer ")
    elif given.api_key:
        auth = HeaderAuth(given.header, secret("api_key"))
    if given.hmac:
        auth = Both(auth, HmacAuth(given.hmac_header, secret("hmac")))
    return auth
