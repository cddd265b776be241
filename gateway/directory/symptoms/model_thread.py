"""The language model in one thread beside the requests, which never wait long for it.

It is loaded by the first request that could use it. A text takes a few milliseconds; at
most ``WAITING_MAX`` are in the thread or before it, and a request waits ``PATIENCE_S``
for its own. Whatever is not there by then is None, and the caller has another answer.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from time import perf_counter
from typing import Final

import structlog
from msgspec import Struct

from gateway.directory.symptoms.encoder import PhraseModel

PATIENCE_S: Final = 0.05
"""How long a request waits for the model, in seconds."""
WAITING_MAX: Final = 8
"""Texts in the thread and before it; more would not be done in time."""
KEPT_MAX: Final = 512
"""Texts whose scores are remembered, by a keyed hash and not by their words."""
_HASH_BYTES: Final = 16

Scores = Mapping[str, float]
Waits = Callable[["asyncio.Future[Scores]"], Awaitable[None]]
"""Waits for a future no longer than a request may, and leaves it running."""

log = structlog.get_logger("slotcast.gateway")


async def patiently(future: asyncio.Future[Scores]) -> None:
    """Wait for a future, ``PATIENCE_S`` at most."""
    await asyncio.wait({future}, timeout=PATIENCE_S)


class ModelTally(Struct):
    """Texts by how the model dealt with them."""

    answered: int = 0
    kept: int = 0
    """Of these, from memory."""
    unloaded: int = 0
    """Asked while it was not loaded, or could not be."""
    busy: int = 0
    """Refused because too many waited."""
    late: int = 0
    """Not done in time."""


class ModelThread:
    """Runs a model; must be closed after use."""

    def __init__(
        self,
        load: Callable[[], PhraseModel],
        *,
        key: bytes,
        waits: Waits = patiently,
    ) -> None:
        """``key``: random bytes for the hashes of texts."""
        self._load = load
        self._key = key
        self._waits = waits
        self._pool = ThreadPoolExecutor(1, "symptoms")
        self._model: PhraseModel | None = None
        self._loading: asyncio.Future[PhraseModel] | None = None
        self._coming: dict[bytes, asyncio.Future[Scores]] = {}
        self._kept: OrderedDict[bytes, Scores] = OrderedDict()
        self._is_closed = False
        self.tally = ModelTally()

    @property
    def is_loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._model is not None

    @property
    def inside(self) -> int:
        """Texts in the thread and before it."""
        return len(self._coming)

    async def scores(self, text: str) -> Scores | None:
        """The scores of a text; None if they are not to be had now."""
        if self._model is None or self._is_closed:
            self.tally.unloaded += 1
            self._begin()
            return None
        digest = blake2b(text.encode(), key=self._key, digest_size=_HASH_BYTES).digest()
        if digest in self._kept:
            self._kept.move_to_end(digest)
            self.tally.answered += 1
            self.tally.kept += 1
            return self._kept[digest]
        future = self._coming.get(digest) or self._submit(self._model, text, digest)
        if future is None:
            self.tally.busy += 1
            return None
        await self._waits(future)
        if not future.done():
            self.tally.late += 1
            return None
        if future.cancelled() or future.exception() is not None:
            return None
        self.tally.answered += 1
        return future.result()

    def close(self) -> None:
        """Stop the thread; texts that wait are dropped."""
        self._is_closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        """Load the model, once: what failed is not tried again in this process."""
        if self._loading is not None or self._is_closed:
            return
        began = perf_counter()
        loop = asyncio.get_running_loop()
        self._loading = loop.run_in_executor(self._pool, self._load)

        def done(future: asyncio.Future[PhraseModel]) -> None:
            if future.cancelled():
                return
            error = future.exception()
            if error is not None:
                log.error(
                    "the language model cannot be used; words alone suggest",
                    error=f"{type(error).__name__}: {error}",
                )
                return
            self._model = future.result()
            seconds = round(perf_counter() - began, 2)
            log.info("the language model was loaded", seconds=seconds)

        self._loading.add_done_callback(done)

    def _submit(
        self, model: PhraseModel, text: str, digest: bytes
    ) -> asyncio.Future[Scores] | None:
        """A text for the thread; None if too many wait."""
        if len(self._coming) >= WAITING_MAX:
            return None
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Scores] = loop.run_in_executor(
            self._pool, model.scores, text
        )
        self._coming[digest] = future
        future.add_done_callback(lambda done: self._settle(digest, done))
        return future

    def _settle(self, digest: bytes, future: asyncio.Future[Scores]) -> None:
        self._coming.pop(digest, None)
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            # Its name alone: what it says may contain the text.
            log.error("the language model failed", error=type(error).__name__)
            return
        self._kept[digest] = future.result()
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
