"""Which authentication scheme a destination gets, with its secrets read."""

from __future__ import annotations

from collections.abc import MutableMapping

from connector.config.credentials import credential, named_credentials
from connector.config.destination import Destination
from connector.delivery.auth.base import HIDDEN, AuthScheme, NoAuth
from connector.delivery.auth.body import BodyAuth
from connector.delivery.auth.combined import CombinedAuth
from connector.delivery.auth.header import HeaderAuth
from connector.delivery.auth.hmac import HmacAuth
from connector.delivery.auth.oauth1 import OAuth1
from connector.delivery.auth.oauth2 import OAuth2
from connector.delivery.auth.query import QueryAuth
from connector.delivery.transports.base import Transport


def auth_for(
    destination: Destination,
    transport: Transport | None,
    *,
    hidden: bool = False,
    tokens: MutableMapping[str, str] | None = None,
) -> AuthScheme:
    """Build the scheme that a destination's platform asks for.

    Args:
        destination: whose `auth` holds references to secrets.
        transport: reaches the authorization server of OAuth 2.0.
        hidden: secrets are not read and show as `***`, for previews.
        tokens: where access tokens are kept that several schemes share.

    Raises:
        ConfigError: a secret is not there.
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
        return OAuth2(
            transport,  # type: ignore[arg-type]
            spec.token_url,
            fields,
            tokens,
            named_credentials(destination),
            spec.client_id_header,
        )
    if spec.method == "query":
        return QueryAuth(spec.name, secret(token_name))
    if spec.method == "body":
        app_secret = secret("app_secret") if given.app_secret else None
        return BodyAuth(spec.name, secret(token_name), spec.proof, app_secret)
    if spec.method == "header":
        return HeaderAuth(spec.name, secret(token_name))
    scheme: AuthScheme = NoAuth()
    if given.bearer or given.token:
        scheme = HeaderAuth("Authorization", secret(token_name), "Bearer ")
    elif given.api_key:
        scheme = HeaderAuth(given.header, secret("api_key"))
    if given.hmac:
        scheme = CombinedAuth(scheme, HmacAuth(given.hmac_header, secret("hmac")))
    return scheme
