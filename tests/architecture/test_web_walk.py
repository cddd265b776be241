"""Every page of the app is looked at by axe."""

from __future__ import annotations

import re

from tests.fixtures.server import ROOT
from tests.web.test_access import PAGES, ROOMS


def test_every_route_is_in_the_walk() -> None:
    """A page that is added to the router is added to tests/web/test_access.py too."""
    router = (ROOT / "web" / "src" / "app" / "router.tsx").read_text("utf-8")
    routes = re.findall(r'\bpath: "([^"]+)"', router)
    walked = [*PAGES, *(path for room in ROOMS.values() for path in room)]
    pages = {path.partition("?")[0] for path in walked}
    missing = [
        route
        for route in routes
        if not any(re.fullmatch(re.sub(r"\$\w+", "[^/]+", route), one) for one in pages)
    ]
    assert len(routes) > 20, "the router is written in another way: this pattern is too"
    assert missing == [], "add them to PAGES or ROOMS of tests/web/test_access.py"
