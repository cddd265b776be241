"""Readers of a replica that is away ask the primary instead, until it is back.

A connection goes to the replica if that lets it in, else to the primary. After a
failure the replica is left alone for a while, then one new connection tries it again,
so that no other waits for it. Connections do not grow old, which is how readers come
back to the replica.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from persistence.sql.drivers import Creator

log = logging.getLogger(__name__)

LEFT_ALONE_S = 15.0
"""Pause before a replica that did not let us in is tried again."""
RECYCLE_S = 30
"""How long a connection lives; after that it may go to the other server."""


class ReplicaOrPrimary:
    """Makes connections to the one or to the other; one per pool.

    ``create`` makes one to whatever server its arguments name: ``replica`` are those
    that lead to the replica, ``primary`` those that stand in their place.
    """

    def __init__(
        self,
        create: Creator,
        replica: Mapping[str, Any],
        primary: Mapping[str, Any],
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._create = create
        self._replica = frozenset(replica)
        self._primary = primary
        self._now = now
        self._alone_until = 0.0

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A connection. Raises what the primary's creator raises."""
        if self._now() >= self._alone_until:
            was_away = self._alone_until > 0
            if was_away:  # no other connection tries it meanwhile
                self._alone_until = self._now() + LEFT_ALONE_S
            try:
                connection = await self._create(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - whatever the driver raises
                self._alone_until = self._now() + LEFT_ALONE_S
                log.warning(
                    "readers ask the primary, for the replica is away: %s", error
                )
            else:
                self._alone_until = 0.0
                if was_away:
                    log.info("the replica is back")
                return connection
        common = {name: kwargs[name] for name in kwargs.keys() - self._replica}
        return await self._create(*args, **common, **self._primary)
