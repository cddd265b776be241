"""Servers that many tests share: private, thrown away, started on first use."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.tiers import tier_of

if TYPE_CHECKING:
    from tests.fixtures.mariadb import MariaDbServer
    from tests.fixtures.redis_server import RedisServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with its tier."""
    for item in items:
        item.add_marker(tier_of(item))


def pytest_collection_finish() -> None:
    """Leave what stands before the first test out of the collections below."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Find what a test left open while it is still this test's turn to fail.

    A socket that is not closed is a ResourceWarning, thus an error, at the moment when
    the collector finds it. Left to itself that is some later test, which is blamed.
    """
    if isinstance(item, pytest.Function):
        item.funcargs.clear()  # or the item keeps the fixtures' values alive
    if _ends_what_tests_share(item, nextitem):
        gc.unfreeze()
    gc.collect()
    # What lives on is left out of the next collection: one over all that this process
    # has imported takes longer than most tests.
    gc.freeze()


def _ends_what_tests_share(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Whether fixtures of a class or module end with this test."""
    if nextitem is not None and nextitem.parent is item.parent:
        return False
    info = getattr(item, "_fixtureinfo", None)
    definitions = info.name2fixturedefs.values() if info is not None else ()
    return any(one[-1].scope in ("class", "module") for one in definitions)


_DATABASE = pytest.StashKey["MariaDbServer"]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show below the failure of a real test what the shared database logged last."""
    report = yield
    server = item.config.stash.get(_DATABASE, None)
    if report.failed and server is not None and item.get_closest_marker("real"):
        report.sections.append(("MariaDB of this process", server.state))
    return report


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A durable Redis for the whole run; each test uses a site prefix of its own."""
    from tests.fixtures.redis_server import RedisServer

    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mariadb_server(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[MariaDbServer]:
    """A MariaDB for the whole run; each test uses a database of its own."""
    from tests.fixtures.mariadb import MariaDbServer

    server = MariaDbServer(tmp_path_factory.mktemp("mariadb"))
    server.start()
    pytestconfig.stash[_DATABASE] = server
    yield server
    server.stop()
