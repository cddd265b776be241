"""Ray's own names that are replaced so that spare processes do not start."""

from __future__ import annotations

import inspect

from ray._private import parameter, services
from ray._private.node import Node

from cluster.own_ray.spare import PARAMETERS, without_spare_parts


def test_ray_has_the_names_that_are_replaced() -> None:
    """A version of Ray without them fails here, and not at an operator's start."""
    known = inspect.signature(parameter.RayParams).parameters
    assert set(PARAMETERS) <= set(known)
    started = inspect.getsource(Node.start_head_processes)
    assert "self.start_api_server(" in started
    assert "if not self._ray_params.no_monitor:" in started
    assert "if self._ray_params.include_log_monitor:" in inspect.getsource(Node)
    assert "start_api_server" in dir(services)


def test_ray_is_as_before_afterwards() -> None:
    """Inside the block nothing spare is asked for; after it Ray is untouched."""
    before = (parameter.RayParams, Node.start_api_server)
    with without_spare_parts():
        made = parameter.RayParams()
        assert made.include_log_monitor is False
        assert made.no_monitor is True
        assert Node.start_api_server(object(), include_dashboard=True) is None
    assert (parameter.RayParams, Node.start_api_server) == before
