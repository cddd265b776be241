"""A client's views converge, whatever happens to the deltas on their way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.client_world import ClientWorld

HAPPENINGS = st.lists(
    st.sampled_from(
        [
            ClientWorld.change,
            ClientWorld.change,
            ClientWorld.deliver,
            ClientWorld.deliver,
            ClientWorld.deliver_any,
            ClientWorld.lose,
            ClientWorld.double,
            ClientWorld.beat,
            ClientWorld.reconnect,
            ClientWorld.begin_anew,
        ]
    ),
    max_size=120,
)


@given(seed=st.integers(0, 2**32), happenings=HAPPENINGS)
@settings(max_examples=400, deadline=None)
def test_views_converge(seed: int, happenings: list[object]) -> None:
    """Lost, doubled and shuffled deltas, broken lines, new epochs: when all is quiet
    and a heartbeat has come, each view is what the server shows."""
    world = ClientWorld(seed)
    for happen in happenings:
        happen(world)  # type: ignore[operator]
    world.settle()
    assert world.differences() == []


@given(seed=st.integers(0, 2**32), happenings=HAPPENINGS)
@settings(max_examples=200, deadline=None)
def test_a_view_at_the_servers_position_is_the_servers_page(
    seed: int, happenings: list[object]
) -> None:
    """At every moment: who stands where the server stands has what it has."""
    world = ClientWorld(seed)
    for happen in happenings:
        happen(world)  # type: ignore[operator]
        for topic, model in world.models.items():
            view = world.session.views[topic]
            if view.position == (model.epoch, model.version):
                assert view.slots == model.slots


@given(seed=st.integers(0, 2**32), count=st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_on_a_good_line_nothing_is_asked_twice(seed: int, count: int) -> None:
    """In order and complete: one question for all topics, no gap, no second one."""
    world = ClientWorld(seed)
    for _ in range(count):
        world.change()
    world.settle()
    assert (world.answers, world.differences()) == (1, [])
