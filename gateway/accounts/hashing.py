"""Argon2id in a bounded pool of threads.

t=2, m=19 MiB, p=1 (RFC 9106 and OWASP's least) costs 26 ms of a processor; the library
releases the GIL. At most ``max(1, processors // 2)`` run and ``WAITING_MAX`` wait: the
next request is refused before anything is hashed, so bookings keep their processor.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import get_native_id
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from actors.errors import Unavailable

T = TypeVar("T")

WAITING_MAX: Final = 32
"""Most passwords that wait for a thread."""
NICENESS: Final = 10
"""Niceness of the pool's threads, below requests that need milliseconds."""
_RETRY_S: Final = 1.0
_ANY_PASSWORD: Final = b"a password that no account has"


class ArgonPasswords:
    """Implements care.accounts.ports.Passwords. Must be closed after use.

    ``memory_kib`` is lowered by tests alone.
    """

    def __init__(self, *, memory_kib: int = 19_456, threads: int = 0) -> None:
        self._threads = threads or max(1, (os.cpu_count() or 1) // 2)
        self._hasher = PasswordHasher(
            time_cost=2, memory_cost=memory_kib, parallelism=1
        )
        # Verified for addresses without an account, so that they cost the same.
        self._nobodys = self._hasher.hash(_ANY_PASSWORD)
        self._pool = ThreadPoolExecutor(
            self._threads, "passwords", initializer=_be_nice
        )
        self._inside = 0
        self.runs = 0
        """How many hashes were computed."""

    async def hashed(self, password: bytes) -> str:
        """See Passwords.hashed."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, password: bytes, password_hash: str) -> bool:
        """See Passwords.verify."""
        stored = password_hash or self._nobodys
        is_right = await self._run(lambda: self._is_right(stored, password))
        return is_right and bool(password_hash)

    def close(self) -> None:
        """Stop the threads; waiting hashes are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _is_right(self, stored: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._inside >= self._threads + WAITING_MAX:
            raise Unavailable(
                "too many passwords are being checked", retry_after_s=_RETRY_S
            )
        self._inside += 1
        self.runs += 1
        # A cancelled request does not stop its thread: the place is taken until then.
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        future.add_done_callback(self._leave)
        return await asyncio.shield(future)

    def _leave(self, _future: object) -> None:
        self._inside -= 1


def _be_nice() -> None:
    os.setpriority(os.PRIO_PROCESS, get_native_id(), NICENESS)
