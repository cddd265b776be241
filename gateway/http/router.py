"""Routes a request to its operation by one look-up, without the framework.

FastAPI's middleware stack costs more per request than a whole booking, and operations
do not need it: they answer their own errors. So paths of operations are dispatched
here, and all others by FastAPI.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from fastapi import FastAPI
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send


class OperationRouter:
    """ASGI: operations by path; ``rest`` gets every other request."""

    def __init__(self, routes: Sequence[Route], rest: ASGIApp) -> None:
        self._rest = rest
        self._exact = {route.path: route for route in routes if "{" not in route.path}
        self._by_depth: dict[int, list[Route]] = defaultdict(list)
        for route in routes:
            if "{" in route.path:
                self._by_depth[route.path.count("/")].append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the operation, or pass the request on."""
        path = scope["path"]
        route = self._exact.get(path)
        if route is not None:
            scope["endpoint"], scope["path_params"] = route.endpoint, {}
            await route.app(scope, receive, send)
            return
        for route in self._by_depth.get(path.count("/"), ()):
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                await route.app(scope, receive, send)
                return
        await self._rest(scope, receive, send)


class GatewayApp(FastAPI):
    """FastAPI for documents and ordinary routes, behind the gateway's middleware.

    ``front`` takes every HTTP request, ``live`` the live socket, of which thousands may
    arrive at once; other sockets and the lifespan go to FastAPI.
    """

    front: ASGIApp
    live: ASGIApp
    live_path = "/v1/live"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one connection."""
        if scope["type"] == "http":
            scope["app"] = self
            await self.front(scope, receive, send)
        elif scope["type"] == "websocket" and scope["path"] == self.live_path:
            scope["app"] = self
            await self.live(scope, receive, send)
        else:
            await self.behind(scope, receive, send)

    async def behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        """FastAPI, for everything except operations and the live socket."""
        await super().__call__(scope, receive, send)
