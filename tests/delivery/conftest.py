"""Both transports: whatever holds for one holds for the other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.delivery.transports.base import Transport
from connector.delivery.transports.requests import RequestsTransport

Kind = Callable[..., Transport]


@pytest.fixture(params=["requests", "libcurl"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Makes one transport or the other; takes what they take."""
    if request.param == "requests":
        return RequestsTransport
    pytest.importorskip("pycurl")
    from connector.delivery.transports.libcurl import LibcurlTransport

    return LibcurlTransport
