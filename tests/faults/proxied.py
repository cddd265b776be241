"""A proxy in a process of its own, told what to do over its control line."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import Any

from tests.fixtures.server import ROOT
from tests.fixtures.thrown_away import ThrownAway

ANSWER_S = 10.0


class ProxyProcess(ThrownAway):
    """``python -m tests.faults.proxy``; as a context manager it ends with the block."""

    def __init__(
        self,
        target: int,
        *,
        host: str = "127.0.0.1",
        listen: str = "127.0.0.1",
        prefix: tuple[str, ...] = (),
    ) -> None:
        """``prefix`` comes before the command: where to run it."""
        self.port = 0
        self._listen = listen
        self._command = [
            *(*prefix, sys.executable, "-m", "tests.faults.proxy"),
            *(host, str(target), "--listen", listen),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None

    def start(self) -> ProxyProcess:
        """Start it; returns when it carries."""
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        ports = json.loads(self._process.stdout.readline())
        self.port = int(ports["port"])
        address = (self._listen, int(ports["control"]))
        self._line = socket.create_connection(address, timeout=ANSWER_S)
        return self

    def tell(self, **wish: Any) -> dict[str, Any]:
        """Change the trouble, ``heal`` or ``cut``; what it says."""
        assert self._line is not None
        self._line.sendall(json.dumps(wish).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            answer += self._line.recv(4096)
        told: dict[str, Any] = json.loads(answer)
        assert "error" not in told, told
        return told

    def heal(self) -> None:
        """Bytes pass again."""
        self.tell(heal=True)

    def stop(self) -> None:
        """End it; connections through it are reset."""
        if self._line is not None:
            self._line.close()
        process = self._process
        if process is not None:
            with process:
                assert process.stdin is not None
                process.stdin.close()
                process.wait(10)
            self._process = None
