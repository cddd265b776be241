"""A way to public addresses alone, for requests to where others say.

An endpoint is named by a browser, so it could lead to a machine of this network. The
name is resolved here, every address is checked, and the connection goes to one that
was: a name that leads elsewhere a moment later has no effect. Redirects are not
followed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore

from care.notices.push import only_public

CONNECTIONS_MAX: Final = 64


class PrivateAddress(httpcore.ConnectError):
    """The name leads to an address that is not of the public internet."""


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """Connects to public addresses alone."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check, connect. Raises PrivateAddress, httpcore.ConnectError."""
        try:
            async with asyncio.timeout(timeout):
                found = await asyncio.get_running_loop().getaddrinfo(
                    host, port, type=socket.SOCK_STREAM
                )
        except TimeoutError:
            raise httpcore.ConnectTimeout("the name was not resolved") from None
        except OSError:
            raise httpcore.ConnectError("the name is not known") from None
        addresses = [str(one[4][0]) for one in found]
        if not only_public(addresses):
            raise PrivateAddress("it leads to no public address")
        return await self._inner.connect_tcp(
            addresses[0], port, timeout, local_address, socket_options
        )

    async def connect_unix_socket(
        self, path: str, *_: Any, **__: Any
    ) -> httpcore.AsyncNetworkStream:
        """No address of the internet."""
        raise PrivateAddress(path)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def connections(*, is_open: bool) -> httpcore.AsyncConnectionPool:
    """Connections to public addresses; ``is_open``: to any, for tests."""
    return httpcore.AsyncConnectionPool(
        ssl_context=ssl.create_default_context(),
        max_connections=CONNECTIONS_MAX,
        network_backend=None if is_open else PublicNetwork(),
    )
