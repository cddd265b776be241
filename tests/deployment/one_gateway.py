"""One real gateway with calendars of its own in memory, until it is killed.

Usage: python -m tests.deployment.one_gateway PORT
"""

from __future__ import annotations

import asyncio
import sys

import uvicorn

from tests.fakes.api import open_api


async def serve(port: int) -> None:
    """Serve as cluster/wiring/gateway.py does, without Ray and without a disk."""
    async with open_api() as api:
        await api.add_provider(1)
        config = uvicorn.Config(
            api.app,
            host="127.0.0.1",
            port=port,
            http="httptools",
            ws=api.app.state.live.protocol,
            log_config=None,
            access_log=False,
            proxy_headers=True,
            forwarded_allow_ips="127.0.0.1",
        )
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
