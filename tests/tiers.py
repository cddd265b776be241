"""Which tier a test belongs to, by where it lives and what it uses.

``quick`` needs this process alone. ``real`` starts servers, clusters, browsers or
processes to be killed; ``acceptance`` is the part of it that starts a Ray or the whole
server. ``simulation`` drives whole histories, on all processors.
``deep`` is what CI leaves out: its marker names the tests that prove the same promise
in CI, shorter. ``make test TIER=…`` chooses; docs/tests.md has the times.
"""

from __future__ import annotations

from typing import Final

import pytest

REAL_FOLDERS: Final = frozenset(
    {"acceptance", "attacks", "crash", "deployment", "faults"}
)
"""Folders whose tests start real servers or kill real processes."""
REAL_FIXTURES: Final = frozenset({"mariadb_server", "redis_server", "azurite"})
"""Fixtures that start a server; those that ask for them by name count as well."""
SERVER_KINDS: Final = (
    "RedisServer",
    "MariaDbServer",
    "Azurite",
    "ClamdServer",
    "RadicaleServer",
    "OidcIssuer",
    "Nginx",
    "ServerProcess",
)
"""A fixture whose return annotation names one of these starts a server, too."""
SERVERS: Final = ("mariadb", "redis", "azure", "asyncmy", "aiomysql", "nginx", "ray")
"""Words in a test's id or module that mean a server: parameters name databases."""


def tier_of(item: pytest.Item) -> str:
    """The tier of a collected test: ``quick``, ``real``, ``simulation`` or ``deep``."""
    if item.get_closest_marker("deep"):
        return "deep"
    folder = item.path.parent.name
    if folder == "simulation" or item.path.name == "test_mutations.py":
        return "simulation"
    if item.get_closest_marker("acceptance") or folder in REAL_FOLDERS:
        return "real"
    used = set(getattr(item, "fixturenames", ()))
    name = item.nodeid.rpartition("/")[2].lower()
    if used & REAL_FIXTURES or any(word in name for word in SERVERS):
        return "real"
    return "real" if _has_a_server_of_its_own(item) else "quick"


def _has_a_server_of_its_own(item: pytest.Item) -> bool:
    """Whether a fixture's return annotation names a kind of server."""
    info = getattr(item, "_fixtureinfo", None)
    definitions = info.name2fixturedefs.values() if info is not None else ()
    returned = (str(one[-1].func.__annotations__.get("return")) for one in definitions)
    return any(kind in text for text in returned for kind in SERVER_KINDS)
