"""Coroutines that run without an asyncio task while they wait only for calendars.

A command over the live socket mostly waits once: for the reply of its calendar. A task
and a future for that cost as much as the command itself. ``Continuation`` runs the
coroutine of an operation as far as its question to a calendar; the reply resumes it in
a later turn of the event loop. REST runs the same coroutines in tasks, with futures.

Rule 1: a coroutine that awaits anything else continues as an asyncio task.
Rule 2: code that needs a task before its first wait (``asyncio.timeout`` looks up the
current task when it is entered) awaits ``become_task`` first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any, ClassVar, Final, Generic, TypeVar, cast

from actors.domain.messages.answers import Reply
from actors.errors import Unavailable

T = TypeVar("T")

RESUMED_A_TURN: Final = 64
"""Continuations resumed in one iteration of the event loop, about three milliseconds of
work. One reply of a shard answers up to 256 commands; the bound lets other connections
run in between."""

_WAITING, _ANSWERED, _GIVEN_UP = range(3)


class Turns:
    """Answered continuations, resumed in order, a bounded number per loop iteration."""

    __slots__ = ("_due", "_is_due")

    def __init__(self) -> None:
        self._due: deque[Continuation[Any]] = deque()
        self._is_due = False

    def add(self, one: Continuation[Any]) -> None:
        """Resume it in a later iteration, outside the task that received the reply."""
        self._due.append(one)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        due = self._due
        for _ in range(min(len(due), RESUMED_A_TURN)):
            due.popleft().resume()
        if due:
            asyncio.get_running_loop().call_soon(self._turn)
        else:
            self._is_due = False


class Pending:
    """A continuation's outstanding request to a calendar; replaces a future."""

    __slots__ = ("_continuation", "_error", "_reply", "_state", "_turns")

    def __init__(self, continuation: Continuation[Any], turns: Turns) -> None:
        self._continuation = continuation
        self._turns = turns
        self._state = _WAITING
        self._reply: Reply | None = None
        self._error: BaseException | None = None

    def done(self) -> bool:
        """True once it has an answer, or its continuation was closed."""
        return self._state != _WAITING

    def set_result(self, result: Reply, /) -> None:
        """The calendar's reply."""
        self._reply = result
        self._state = _ANSWERED
        self._turns.add(self._continuation)

    def set_exception(self, exception: BaseException, /) -> None:
        """The request failed with this exception."""
        self._error = exception
        self._state = _ANSWERED
        self._turns.add(self._continuation)

    def give_up(self) -> None:
        """Abandon the request: if it has not been sent yet, it never is."""
        if self._state == _WAITING:
            self._state = _GIVEN_UP

    def __await__(self) -> Generator[Pending, None, Reply]:
        """The reply."""
        yield self
        if self._error is not None:
            raise self._error
        return cast("Reply", self._reply)


class Continuation(Generic[T]):
    """A running coroutine without a task of its own.

    ``ended`` is called once, with the result or the error, unless ``close`` comes
    first. The call may happen within ``start``.
    """

    __slots__ = ("_coroutine", "_ended", "_pending", "_task")

    running: ClassVar[Continuation[Any] | None] = None
    """The continuation whose coroutine is executing now; None inside a task."""

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, T],
        ended: Callable[[Continuation[T], T | Exception], None],
    ) -> None:
        self._coroutine = coroutine
        self._ended = ended
        self._pending: Pending | None = None
        self._task: asyncio.Future[T] | None = None

    def start(self) -> None:
        """Run up to the first wait."""
        self._step()

    def resume(self) -> None:
        """Continue after the reply; no effect once closed."""
        if self._pending is not None:
            self._pending = None
            self._step()

    def close(self) -> None:
        """Cancel it where it waits; ``ended`` is not called."""
        if self._pending is not None:
            self._pending.give_up()
            self._pending = None
            self._coroutine.close()
        elif self._task is not None:
            self._task.cancel()

    def _step(self) -> None:
        result: T | Exception
        outer, Continuation.running = Continuation.running, self
        try:
            wait = self._coroutine.send(None)
        except StopIteration as stop:
            result = stop.value
        except Exception as error:  # noqa: BLE001 - it is the result
            result = error
        except asyncio.CancelledError:
            result = Unavailable("the server is stopping")
        else:
            if isinstance(wait, Pending):
                self._pending = wait
            else:
                rest = _rest(wait, self._coroutine)
                self._task = asyncio.ensure_future(rest)
                self._task.add_done_callback(self._task_done)
            return
        finally:
            Continuation.running = outer
        self._ended(self, result)

    def _task_done(self, task: asyncio.Future[T]) -> None:
        if not task.cancelled():
            error = task.exception()
            if error is None:
                self._ended(self, task.result())
            elif isinstance(error, Exception):
                self._ended(self, error)


def pending_of(turns: Turns) -> Pending | None:
    """A new request of the running continuation; None inside a task."""
    running = Continuation.running
    return None if running is None else Pending(running, turns)


async def become_task() -> None:
    """Continue as an asyncio task; no effect inside one."""
    if Continuation.running is not None:
        await asyncio.sleep(0)  # Rule 1: this wait is not for a calendar


@coroutine
def _rest(wait: object, running: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """The rest of a coroutine that waits for ``wait``, to be run by a task."""
    while True:
        try:
            yield wait
        except BaseException as error:  # noqa: BLE001 - the coroutine handles it
            go_on = partial(running.throw, error)
        else:
            go_on = partial(running.send, None)
        try:
            wait = go_on()
        except StopIteration as stop:
            return cast("T", stop.value)
