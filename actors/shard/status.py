"""The status of a shard, for operators and metrics."""

from __future__ import annotations

import os
from pathlib import Path

from actors.domain.ids import Millis
from actors.domain.zone_data import EDITION
from actors.ports import ShardStatus
from actors.shard.shard import Shard


def status_of(shard: Shard, state: str, waiting: int, opened_at: Millis) -> ShardStatus:
    """What an operator sees of a shard of this process, whose mailbox is ``state``."""
    tally = shard.tally
    return ShardStatus(
        shard=shard.shard,
        pid=os.getpid(),
        epoch=shard.epoch,
        last_seq=shard.last_seq,
        snapshot_position=shard.residents.position,
        calendars=len(shard.residents),
        mailbox=waiting,
        commands=tally.commands,
        batches=tally.batches,
        memory_bytes=_memory_bytes(),
        fsync_p50_ms=tally.append_seconds.quantile(0.5) * 1000,
        fsync_p99_ms=tally.append_seconds.quantile(0.99) * 1000,
        opened_at=opened_at,
        state=state,
        events=tally.events,
        reads=tally.reads,
        snapshots=tally.snapshots,
        expiries=tally.expiries,
        refusals=dict(tally.refusals),
        batch_sizes=list(tally.batch_sizes.counts),
        append_seconds=list(tally.append_seconds.counts),
        append_seconds_sum=tally.append_seconds.total,
        tzdata=EDITION,
    )


def _memory_bytes() -> int:
    """Resident memory of this process; 0 where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
