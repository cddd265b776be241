"""Where to find a topic: by name, by calendar, by shard, by patient."""

from __future__ import annotations

from collections.abc import Callable

from actors.domain.ids import Millis, PatientId, ProviderId, ShardId
from gateway.live.core.frames import NOWHERE, FrameEncoder, Position
from gateway.live.core.topic_names import Kind, TopicName
from gateway.live.topics.topic import Board


class ShardTopics:
    """One shard: its feed's cursor and seq, and the watched providers."""

    __slots__ = ("cursor", "providers", "seq")

    def __init__(self) -> None:
        self.cursor = Position(0, 0)
        self.seq = 0
        self.providers: set[ProviderId] = set()


class ProviderTopics:
    """The watched topics of one calendar."""

    __slots__ = ("schedule", "seen", "shard", "slots", "suspect", "suspect_at")

    def __init__(self, shard: ShardId) -> None:
        self.shard = shard
        """The shard whose feed reports this calendar, as far as is known."""
        self.slots: dict[tuple[str, str], Board] = {}
        self.schedule: Board | None = None
        self.seen = NOWHERE
        self.suspect = NOWHERE
        self.suspect_at = Millis(0)

    def all(self) -> list[Board]:
        """Every topic of this calendar."""
        boards = list(self.slots.values())
        return [*boards, self.schedule] if self.schedule else boards


class TopicIndex:
    """All topics of this process; the hub takes out unwatched ones."""

    def __init__(
        self, encoder: FrameEncoder, shard_of: Callable[[ProviderId], ShardId]
    ) -> None:
        self._encoder = encoder
        self.shard_of = shard_of
        self.boards: dict[str, Board] = {}
        self.shards: dict[ShardId, ShardTopics] = {}
        self.providers: dict[ProviderId, ProviderTopics] = {}
        self.patients: dict[PatientId, Board] = {}
        self.proxied: dict[PatientId, Board] = {}
        """The same patients as people see them who act for them."""
        self.searches: dict[str, Board] = {}
        """Watched lists, by the name of the topic."""
        self.composed: dict[Board, None] = {}
        """Slots of visits that take rooms or equipment too."""
        self.dependent: dict[ProviderId, dict[Board, None]] = {}
        """The same by the calendars of rooms and equipment that they depend on."""

    def shard(self, shard: ShardId) -> ShardTopics:
        """The state of a shard; created at the first call."""
        state = self.shards.get(shard)
        if state is None:
            state = self.shards[shard] = ShardTopics()
        return state

    def drop_shard(self, shard: ShardId) -> None:
        """Forget a shard that is not followed any more."""
        if not self.shard(shard).providers:
            del self.shards[shard]

    def board(self, name: TopicName) -> Board:
        """The topic of this name, created at the first call."""
        board = self.boards.get(name.key)
        if board is not None:
            return board
        board = self.boards[name.key] = Board(name, self._encoder)
        if name.kind is Kind.ME:
            self._people(name)[name.patient_id] = board
            return board
        if name.kind is Kind.SEARCH:
            self.searches[name.wire] = board
            return board
        provider = self.providers.get(name.provider_id)
        if provider is None:
            provider = ProviderTopics(self.shard_of(name.provider_id))
            self.providers[name.provider_id] = provider
            self.shard(provider.shard).providers.add(name.provider_id)
        if name.kind is Kind.SCHEDULE:
            provider.schedule = board
        else:
            provider.slots[name.visit_type, name.week] = board
        return board

    def forget(self, board: Board) -> None:
        """End a topic and remove it; a later request creates a new one."""
        board.end()
        if board.composed:
            self.depend(board, None)
        name = board.name
        self.boards.pop(name.key, None)
        if name.kind is Kind.ME:
            self._people(name).pop(name.patient_id, None)
            return
        if name.kind is Kind.SEARCH:
            self.searches.pop(name.wire, None)
            return
        provider = self.providers[name.provider_id]
        if name.kind is Kind.SCHEDULE:
            provider.schedule = None
        else:
            provider.slots.pop((name.visit_type, name.week), None)
        if not provider.all():
            del self.providers[name.provider_id]
            self.shard(provider.shard).providers.discard(name.provider_id)

    def depend(self, board: Board, members: frozenset[ProviderId] | None) -> None:
        """A topic's slots depend on these calendars; None: on its own alone."""
        for one in board.members - (members or frozenset()):
            mine = self.dependent[one]
            mine.pop(board, None)
            if not mine:
                del self.dependent[one]
        board.composed = members is not None
        board.members = members or frozenset()
        for one in board.members:
            self.dependent.setdefault(one, {})[board] = None
        if board.composed:
            self.composed[board] = None
        else:
            self.composed.pop(board, None)

    def _people(self, name: TopicName) -> dict[PatientId, Board]:
        return self.proxied if name.proxy else self.patients

    def boards_of(self, patient_id: PatientId) -> list[Board]:
        """A patient's topics: their own, and that of people who act for them."""
        found = (self.patients.get(patient_id), self.proxied.get(patient_id))
        return [board for board in found if board is not None]

    def owned_since(self, name: TopicName) -> Position:
        """Ignore older answers about this calendar: its feed's epoch has begun."""
        shard = self.shard(self.providers[name.provider_id].shard)
        return Position(shard.cursor.epoch, 0)

    def relocated(self, name: TopicName) -> bool:
        """Whether its calendar has moved since; then its topics are filed again."""
        provider = self.providers.get(name.provider_id)
        if provider is None:
            return False
        provider_id, shard = name.provider_id, self.shard_of(name.provider_id)
        if shard == provider.shard:
            return False
        self.shard(provider.shard).providers.discard(provider_id)
        self.shard(shard).providers.add(provider_id)
        provider.shard = shard
        return True
