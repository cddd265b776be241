"""Which rooms and equipment meet the needs of a visit; pure.

A need that names a tag leaves fewer to choose from than one without, and one room must
not stand for two. So the choice is a matching: a place that is taken by one need is
given to another if the first can have a different one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import blake2b
from typing import Final

from actors.domain.ids import Minute, ProviderId
from actors.domain.rules import Need, Resource, ResourceKind
from gateway.calendars.members.candidates import Known

_DAY: Final = 24 * 60
_ORDER: Final = (ResourceKind.EQUIPMENT, ResourceKind.ROOM)
"""The order in which members are held; their provider comes last."""

Pools = Sequence[Sequence[ProviderId]]
"""For each place to be filled, all that may fill it, in order of preference."""


def pools(
    needs: Sequence[Need], known: Sequence[Known], provider_id: ProviderId, day: int
) -> Pools:
    """All that fit each place, beginning with another one for each provider and day.

    So that not every visit of a clinic wants room 1 first.
    """
    found: list[Sequence[ProviderId]] = []
    turn = _turn(provider_id, day)
    for need in needs:
        fit = [one for one, profile in known if is_fit(profile.resource, need)]
        first = turn % len(fit) if fit else 0
        found += [(*fit[first:], *fit[:first])] * need.count
    return found


def is_fit(resource: object, need: Need) -> bool:
    """Whether something is of the kind that is needed, and has the tag."""
    return (
        isinstance(resource, Resource)
        and resource.kind is need.kind
        and (not need.tag or need.tag in resource.tags)
    )


def day_of(start: Minute) -> int:
    """The day by which the choice turns."""
    return start // _DAY


def chosen(
    of_places: Pools, free: Collection[ProviderId]
) -> tuple[ProviderId, ...] | None:
    """One for each place, all different, from those that are free; None: not enough."""
    taken: dict[ProviderId, int] = {}
    for place in range(len(of_places)):
        if not _find(of_places, free, place, taken, set()):
            return None
    by_place = {place: one for one, place in taken.items()}
    return tuple(by_place[place] for place in range(len(of_places)))


def _find(
    of_places: Pools,
    free: Collection[ProviderId],
    place: int,
    taken: dict[ProviderId, int],
    seen: set[ProviderId],
) -> bool:
    for one in of_places[place]:
        if one in seen or one not in free:
            continue
        seen.add(one)
        if one not in taken or _find(of_places, free, taken[one], taken, seen):
            taken[one] = place
            return True
    return False


def in_order(
    members: Collection[ProviderId], known: Sequence[Known]
) -> tuple[ProviderId, ...]:
    """Members in the order in which every visit holds them: by kind, then id.

    Of two visits that want the same ones, one gets all: they meet at the first.
    """
    kinds = {one: profile.resource for one, profile in known}

    def place(one: ProviderId) -> tuple[int, ProviderId]:
        resource = kinds.get(one)
        return (0 if resource is None else _ORDER.index(resource.kind), one)

    return tuple(sorted(members, key=place))


def _turn(provider_id: ProviderId, day: int) -> int:
    written = f"{provider_id}/{day}".encode()
    return int.from_bytes(blake2b(written, digest_size=4).digest(), "big")
