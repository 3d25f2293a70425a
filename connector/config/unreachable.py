"""Why a database does not let us in: what its driver says, as a sentence on what to correct.

The warehouse and the state ask here. Drivers give no code for most of these, only words. Names of
hosts, users and databases stand in quotes among them, and are left out before anything is looked
for.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Obstacle(NamedTuple):
    """What stands in the way.

    Attributes:
        what: The cause.
        remedy: What to correct; `{address}` is where the address was configured.
    """

    what: str
    remedy: str


PASSWORD = Obstacle(
    "refuses the password", "correct user and password in {address}, or the role's password there"
)
ROLE = Obstacle(
    "does not admit this user from here",
    "correct the user in {address}, or let the role in (PostgreSQL: pg_hba.conf)",
)
TLS = Obstacle(
    "cannot be reached over TLS",
    "see what sslmode and sslrootcert (or the driver's own settings) in {address} ask for, and"
    " whether the server has a certificate for that host",
)
DATABASE = Obstacle("has no database of this name", "correct the name of the database in {address}")
HOST = Obstacle("cannot be found: its host name is unknown", "correct the host in {address}")
PORT = Obstacle(
    "refuses connections: nothing listens at this port",
    "see that the server runs, and correct host and port in {address}",
)
TIMEOUT = Obstacle(
    "does not answer in time",
    "see that a firewall lets this machine through, and correct host and port in {address}",
)

_WORDS: dict[Obstacle, str] = {
    PASSWORD: "password authentication failed|no password supplied|Access denied for user"
    "|Incorrect username or password|SASL authentication failed",
    ROLE: r"no pg_hba\.conf entry|role .{0,4}does not exist|authentication failed",
    TLS: "certificate|does not support SSL|SSL error|SSLError|sslmode value|TLS handshake"
    "|wrong version number",
    DATABASE: "database .{0,4}does not exist|Unknown database",
    HOST: "resolve host|translate host name|[Nn]ame or service not known|getaddrinfo"
    "|nodename nor servname|name resolution|No address associated",
    PORT: "Connection refused|No such file or directory",
    TIMEOUT: "[Tt]imed? ?out|timeout expired",
}
"""In the order in which they count: of several addresses of a host, one may refuse connections and
another the password. Words of libpq (fe-connect.c, fe-secure-openssl.c, auth.c, hba.c), psycopg,
MySQL and Snowflake."""

_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


def obstacle(error: BaseException) -> Obstacle | None:
    """What a driver's error says of the connection; None where it says nothing of it."""
    text = _QUOTED.sub("", str(error))
    return next((found for found, words in _WORDS.items() if re.search(words, text)), None)
