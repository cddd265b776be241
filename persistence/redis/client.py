"""Redis as a durable store: writes that count only once they are on every disk.

With ``appendfsync always`` the reply to a write comes after the primary's fsync. With
replicas a WAITAOF follows each write on the same connection, and the count it replies
with must be all of them: "unless waiting for all members to fsync, data can still be
lost during a failover". Errors are classified by one question: was the request sent?
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hiredis import ReplyError

from actors.errors import Fenced, JournalCorrupt, JournalFull, JournalUnavailable
from persistence.redis import functions as redis_functions
from persistence.redis.functions import Word, packed
from persistence.redis.wire import ANSWER_S, CONNECT_S, Wire, WireDown, address_of

COPY_MS = (1, 1, 2, 4, 8, 16, 1500)
"""Timeouts of successive WAITAOFs in ms; in sum less than the connection's timeout.

Each WAITAOF makes the replicas report once, before they have synced the write that came
with it; otherwise they report once a second. So a single WAITAOF takes a second, while
repeating it after a millisecond takes a few milliseconds. Only the last answer counts;
the later ones return at once when an earlier one was enough."""

_FULL = frozenset({"OOM", "MISCONF"})
_AWAY = {
    "LOADING": "it is still loading its data",
    "READONLY": "it is a replica now; write to the primary",
    "MASTERDOWN": "it is a replica without a primary",
    "NOREPLICAS": "too few replicas are attached to it",
    "BUSY": "a script keeps it busy",
    "NOAUTH": "it asks for a password; put it into the URL",
    "WRONGPASS": "it does not accept the password in the URL",
    "NOPERM": "its user in the URL may not do this; allow it in the ACL",
    "CLUSTERDOWN": "it is a cluster; use a primary of its own",
    "MOVED": "it is a cluster; use a primary of its own",
    "CROSSSLOT": "it is a cluster; use a primary of its own",
}


class LostReply(Exception):
    """The request was sent, and its outcome is unknown."""


class TooFewCopies(Exception):
    """The write was done, but fewer replicas than configured have it on disk."""


class FencedAt(Fenced):
    """A function refused: the stream's last id is not what the caller expected."""

    def __init__(self, place: str, position: str) -> None:
        super().__init__(f"{place}: the last position is {position}")
        epoch, _, seq = position.partition("-")
        self.epoch, self.seq = int(epoch), int(seq)


class RedisStore:
    """Commands and our functions on one connection. Must be closed."""

    def __init__(
        self,
        url: str,
        *,
        replicas: int = 0,
        name: str = "slotcast",
        connect_s: float = CONNECT_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        """``replicas``: how many must have each write on disk before it counts."""
        address = address_of(url)
        self.place = f"Redis at {address.place}"
        self.replicas = replicas
        self.library = redis_functions.LIBRARY
        self._wire = Wire(address, name=name, connect_s=connect_s, answer_s=answer_s)
        self._copied = [packed("WAITAOF", 1, replicas, ms) for ms in COPY_MS]
        if not replicas:
            self._copied.clear()

    async def call(
        self, function: str, keys: Iterable[Word], args: Iterable[Word] = ()
    ) -> Any:
        """Call one of our writing functions; durable when this returns."""
        return await self.send(self.library.call(function, keys, args))

    async def send(self, request: bytes, *, copied: bool = True) -> Any:
        """The reply to one packed call of a function; durable when this returns.

        ``copied`` False: do not wait for the replicas.

        Raises:
            JournalUnavailable, JournalFull: nothing was done.
            Fenced, JournalCorrupt: the function refused, nothing was done.
            LostReply: the outcome is unknown.
            TooFewCopies: it was done, but is not on all replicas.
        """
        wait = self._copied if copied else []
        asked = b"".join((request, *wait))
        replies = await self._asked(asked, 1 + len(wait))
        if _is_missing(
            replies[0]
        ):  # the server lost them: flushed, or restored from a backup
            await self._load()
            replies = await self._asked(asked, 1 + len(wait))
        if isinstance(replies[0], ReplyError):
            raise self.named(replies[0])
        if wait:
            self._must_be_copied(replies[-1])
        return replies[0]

    async def ask(self, *words: Word) -> Any:
        """The reply to a command that changes nothing.

        Raises:
            JournalUnavailable: no answer, or Redis refused.
        """
        return (await self.ask_all([words]))[0]

    async def ask_all(
        self, commands: Iterable[Iterable[Word]], timeout_s: float = 0.0
    ) -> list[Any]:
        """The replies to several such commands, sent together. Raises like ``ask``."""
        replies = await self._read(commands, timeout_s)
        for reply in replies:
            if isinstance(reply, ReplyError):
                fault = self.named(reply)
                if isinstance(fault, LostReply):
                    raise JournalUnavailable(str(fault))
                raise fault
        return replies

    async def replies(self, *commands: Iterable[Word]) -> list[Any]:
        """Like ``ask_all``, but returns error replies as ``hiredis.ReplyError``."""
        return await self._read(commands)

    def drop(self) -> None:
        """End the connection now; the next request opens another."""
        self._wire.drop()

    async def close(self) -> None:
        """End the connection."""
        await self._wire.close()

    async def _read(
        self, commands: Iterable[Iterable[Word]], timeout_s: float = 0.0
    ) -> list[Any]:
        requests = [packed(*words) for words in commands]
        request = b"".join(requests)
        try:
            try:
                return await self._wire.ask(request, len(requests), timeout_s)
            except WireDown as error:
                if not error.ended:
                    raise
            # Redis was restarted meanwhile, and the old connection noticed only now.
            return await self._wire.ask(request, len(requests), timeout_s)
        except WireDown as error:
            raise JournalUnavailable(f"{self.place}: {error}") from error

    async def _asked(self, request: bytes, replies: int) -> list[Any]:
        try:
            return await self._wire.ask(request, replies)
        except WireDown as error:
            detail = f"{self.place}: {error}"
            raise (LostReply if error.sent else JournalUnavailable)(detail) from error

    async def _load(self) -> None:
        """Load our functions into the server; idempotent."""
        try:
            replies = await self._wire.ask(self.library.load())
        except WireDown as error:
            raise JournalUnavailable(f"{self.place}: {error}") from error
        if isinstance(replies[0], ReplyError):
            fault = self.named(replies[0])
            if isinstance(fault, LostReply):
                raise JournalUnavailable(
                    f"{self.place} does not accept our functions ({replies[0]}): "
                    "use Redis 7.0 or newer, or Valkey"
                )
            raise fault

    def _must_be_copied(self, reply: Any) -> None:
        if isinstance(reply, ReplyError):
            raise TooFewCopies(f"{self.place} does not report its replicas: {reply}")
        local, copies = reply
        if local < 1 or copies < self.replicas:
            raise TooFewCopies(
                f"{self.place}: {copies} of {self.replicas} replicas have it on disk"
            )

    def named(self, error: ReplyError) -> Exception:
        """The exception for an error reply of Redis or of one of our functions."""
        text = str(error)
        word, _, rest = text.partition(" ")
        if word == "FENCED":
            return FencedAt(self.place, rest.split()[0])
        if word in _FULL:
            return JournalFull(f"{self.place} is full: {text}", retry_after_s=10.0)
        if word in _AWAY:
            return JournalUnavailable(f"{self.place}: {_AWAY[word]} ({text})")
        if word in {"LOST", "WRONGTYPE"}:
            return JournalCorrupt(f"{self.place}: {text}")
        return LostReply(f"{self.place}: {text}")


def _is_missing(reply: object) -> bool:
    return isinstance(reply, ReplyError) and "Function not found" in str(reply)
