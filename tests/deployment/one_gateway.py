"""One real gateway with calendars of its own in memory, until it is killed.

Usage: python -m tests.deployment.one_gateway PORT
"""

from __future__ import annotations

import asyncio
import sys

import uvicorn

from tests.fakes.house import open_house


async def serve(port: int) -> None:
    """Serve as cluster/wiring/gateway.py does, without Ray and without a disk."""
    async with open_house() as house:
        await house.add_provider(1)
        config = uvicorn.Config(
            house.app,
            host="127.0.0.1",
            port=port,
            http="httptools",
            ws=house.app.state.live.protocol,
            log_config=None,
            access_log=False,
            proxy_headers=True,
            forwarded_allow_ips="127.0.0.1",
        )
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
