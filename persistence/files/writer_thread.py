"""One thread that runs blocking calls in order, with little overhead per call."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_Job = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class WriterThread:
    """Runs calls one after the other, off the event loop.

    A call whose waiter was cancelled still runs; only the journal then shows its
    outcome.
    """

    def __init__(self, name: str) -> None:
        """The thread starts with the first call."""
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, call: Callable[[], T]) -> asyncio.Future[T]:
        """Queue ``call`` and await its result."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, name=self._name, daemon=True
            )
            self._thread.start()
        self._jobs.put((call, loop, done))
        return done

    def stop(self) -> None:
        """Finish queued calls and end the thread. Blocks until then."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            call, loop, done = job
            result: Any = None
            error: BaseException | None = None
            try:
                result = call()
            except BaseException as caught:  # noqa: BLE001 - handed to the waiter
                error = caught
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(_finish, done, result, error)


def _finish(
    done: asyncio.Future[Any], result: Any, error: BaseException | None
) -> None:
    if done.done():  # its waiter was cancelled
        return
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(result)
