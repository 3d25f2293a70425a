"""Network addresses."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.identifiers.ip import public_ip, public_ipv4
from tests.support.encoding import applied


@settings(max_examples=200, deadline=None)
@given(st.ip_addresses())
def test_an_address_is_sent_only_where_it_is_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    inside = getattr(address, "ipv4_mapped", None) or address
    expected = str(inside) if inside.is_global and not inside.is_multicast else None
    assert (
        applied(public_ip, str(address), f"10.0.0.1, {address}", f"{address}, 8.8.8.8")[:2]
        == [expected] * 2
    )
    assert applied(public_ip, f"{address}, 8.8.8.8") == [expected or "8.8.8.8"]
    assert applied(public_ipv4, str(address)) == [expected if inside.version == 4 else None]
    assert applied(public_ip, f"{address}:443" if address.version == 4 else f"[{address}]:443") == [
        expected
    ]


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "::1",
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "100.64.0.1",
        "fe80::1",
        "8.8.8.8/24",
        "8.8.8",
        "unknown",
        "8.8.8.8.example.org",
    ],
)
def test_an_address_that_is_not_public_is_dropped(text: str) -> None:
    assert applied(public_ip, text) == [None]


@pytest.mark.parametrize("text", ["224.0.0.1", "ff02::1"])
def test_a_multicast_address_is_dropped(text: str) -> None:
    assert applied(public_ip, text) == [None]


def test_the_zone_of_an_address_is_not_sent() -> None:
    assert (
        applied(public_ip, "2606:4700::1%eth0", "[2606:4700::1%25eth0]:443") == ["2606:4700::1"] * 2
    )
