"""Web servers that this machine alone can reach, in a thread of this process."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from connector.errors import ConfigError


def wait(announce: Callable[[], None]) -> None:
    """Wait until interrupted, once `announce` was called."""
    with contextlib.suppress(KeyboardInterrupt):
        announce()
        threading.Event().wait()


@contextlib.contextmanager
def serving(
    make: Callable[[str], ASGIApp],
    port: int,
    certificate: str | None = None,
    key: str | None = None,
) -> Iterator[str]:
    """Serve an application; gives its address.

    Args:
        make: Called with the address; returns the application.
        port: On 127.0.0.1; 0 for a free one.
        certificate: Path of a PEM file, to speak TLS.
        key: Path of the certificate's key.

    Raises:
        ConfigError: The port is taken.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise ConfigError(
            f"port {port} is taken; stop the program that uses it, or choose another with --port"
        ) from None
    url = f"{'https' if certificate else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        make(url),
        log_level="critical",
        lifespan="off",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="loopback", daemon=True
    )
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        yield url
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
