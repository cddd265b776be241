"""What follows the next starts of providers all the time, beside searches."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from actors.domain.ids import ProviderId


class StartsFollower(Protocol):
    """What follows next starts all the time, for as long as it is interested.

    Called for every change of every calendar, so that it must return quickly.
    """

    @property
    def is_interested(self) -> bool:
        """Whether feeds are to be followed without a pause."""
        ...

    def doubted(self, provider_id: ProviderId) -> None:
        """What is known of a provider's starts is a lower bound from now on."""
        ...

    def heard(self, provider_id: ProviderId) -> None:
        """A calendar has said its next starts, or that they may be any."""
        ...

    def edited(self, provider_ids: Collection[ProviderId]) -> None:
        """What a search shows of these providers is new, or changed."""
        ...

    def lost(self) -> None:
        """Any calendar of a shard may have changed unheard."""
        ...


class NoFollower:
    """Nothing follows next starts."""

    is_interested = False

    def doubted(self, provider_id: ProviderId) -> None:
        """Ignored."""

    def heard(self, provider_id: ProviderId) -> None:
        """Ignored."""

    def edited(self, provider_ids: Collection[ProviderId]) -> None:
        """Ignored."""

    def lost(self) -> None:
        """Ignored."""
