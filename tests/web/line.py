"""A line to a server that can be frozen, cut and laid again: a relay process.

Usage: python -m tests.web.line PORT TARGET_PORT
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from tests.fixtures.reserved import free_port

_ROOT = Path(__file__).parents[2]


class Line:
    """Browsers are told its address instead of the server's."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where browsers find the server through this line."""
        return f"http://localhost:{self.port}"

    def lay(self) -> None:
        """Begin to relay; returns once it accepts connections."""
        words = [sys.executable, "-m", "tests.web.line"]
        self._process = subprocess.Popen(
            [*words, str(self.port), str(self._target)],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"laid\n"

    def freeze(self) -> None:
        """Half-open: connections stay, and nothing passes."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """All that waited passes."""
        self._signal(signal.SIGCONT)

    def cut(self) -> None:
        """Connections end, and none can be made."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def __enter__(self) -> Line:
        self.lay()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)


async def _relay(port: int, target: int) -> None:
    async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pass_on(reader, far[1]), pass_on(far[0], writer))

    server = await asyncio.start_server(
        serve, "127.0.0.1", port, family=socket.AF_INET, reuse_address=True
    )
    sys.stdout.write("laid\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_relay(int(sys.argv[1]), int(sys.argv[2])))
