"""What a new process of a shard runs: the program on disk, not its creator's."""

from __future__ import annotations

from ray import cloudpickle

from actors.hosting.process import ShardSpec
from actors.remote.actor import ShardActor, actor_names, shard_of_name


def test_class_travels_by_name() -> None:
    """Ray stores where the class is to be imported from, so a new process runs what
    is installed by then: an upgrade is a hand-off of each shard."""
    travelling = cloudpickle.dumps(ShardActor)
    assert b"actors.remote.actor" in travelling
    assert len(travelling) < 200
    assert len(cloudpickle.dumps(ShardSpec("a:b", b""))) < 500


def test_shards_are_known_by_both_names() -> None:
    """A list of actors has each shard under its current name."""
    for name in actor_names("g2-x-prv_ana"):  # type: ignore[arg-type]
        assert shard_of_name(name) == "g2-x-prv_ana"
    assert shard_of_name("another") is None
