"""Many jobs of a kind in few transactions: calls that arrive together become one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from actors.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


class Gathered(Generic[Item, Result]):
    """Calls ``work`` with all items that arrived while the last call was under way.

    ``work`` returns a result for each item, in order. The first of the callers does it
    for all, so that no task outlives them. An item that breaks a batch breaks itself
    alone: the others are worked on one by one.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]
    ) -> None:
        self._work = work
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._turn = asyncio.Lock()

    async def __call__(self, item: Item) -> Result:
        """The result of an item; raises what ``work`` raised."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        async with self._turn:
            if not future.done():
                await asyncio.sleep(0)  # jobs of one claim begin in one turn
                batch, self._waiting = self._waiting, []
                await self._do(batch)
        return await future

    async def _do(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            try:
                results = await self._work([item for item, _ in batch])
            except Unavailable as error:
                _fail(batch, error)
                return
            except Exception:
                if len(batch) == 1:
                    raise
                await self._one_by_one(batch)
                return
        except BaseException as error:
            # Also a cancelled leader: its followers must not wait for ever.
            is_own = isinstance(error, Exception)
            _fail(batch, error if is_own else Unavailable("the work was cancelled"))
            if not is_own:
                raise
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)

    async def _one_by_one(
        self, batch: list[tuple[Item, asyncio.Future[Result]]]
    ) -> None:
        for item, future in batch:
            try:
                (result,) = await self._work([item])
            except Exception as error:  # noqa: BLE001 - it belongs to who waits
                _fail([(item, future)], error)
            else:
                if not future.done():
                    future.set_result(result)


def _fail(
    batch: list[tuple[Item, asyncio.Future[Result]]], error: BaseException
) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
            future.exception()  # its caller may be gone, and asyncio would complain
