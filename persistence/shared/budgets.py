"""Rate budgets in Redis: token buckets that every gateway of a site settles with.

One call settles hundreds of buckets; Redis's own clock refills them. A bucket lives in
Redis only while it is not full, a few seconds after its last spending.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from care.sharing import Spending
from persistence.redis.link import Linked, RedisLink, Script

TIMEOUT_S: Final = 0.25
"""Timeout in seconds: no request waits for a settlement, and Redis may be syncing."""

_SETTLE: Final = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local left = {}
for i, key in ipairs(KEYS) do
  local spent, over = tonumber(ARGV[5 * i - 4]), tonumber(ARGV[5 * i - 3])
  local rate, burst = tonumber(ARGV[5 * i - 2]), tonumber(ARGV[5 * i - 1])
  local tokens, idle = burst, over
  local kept = redis.call('GET', key)
  if kept then
    local had, since = string.match(kept, '^(%S+) (%S+)$')
    tokens, idle = tonumber(had), math.max(0, now - tonumber(since))
  end
  local meanwhile = math.min(idle, over)
  tokens = math.min(burst, tokens + (idle - meanwhile) * rate / 1000)
  tokens = math.min(burst, tokens + meanwhile * rate / 1000 - spent)
  tokens = math.max(-burst, tokens)
  local text = string.format('%.3f', tokens)
  redis.call('SET', key, text .. ' ' .. string.format('%.0f', now), 'PX', ARGV[5 * i])
  left[i] = text
end
return left
""")
"""The bucket first refills until the spending began, then refills and is spent from."""


def lasts_ms(rate_per_s: float, burst: int) -> int:
    """Milliseconds from the deepest debt to a full bucket, and a second more."""
    return math.ceil(2 * burst / rate_per_s * 1000) + 1000


class RedisBudgets(Linked):
    """Implements RateBudgets."""

    def __init__(self, url: str, site: str) -> None:
        self._link = RedisLink(url, timeout_s=TIMEOUT_S)
        super().__init__(self._link)
        self._prefix = f"{site}:rate:"

    async def settle(self, spendings: Sequence[Spending]) -> Sequence[float]:
        """See RateBudgets.settle."""
        keys = [self._prefix + one.key for one in spendings]
        arguments: list[float] = []
        for one in spendings:
            lasts = lasts_ms(one.rate_per_s, one.burst)
            arguments += (one.tokens, one.over_ms, one.rate_per_s, one.burst, lasts)
        left: list[bytes] = await self._link.run(_SETTLE, keys, *arguments)
        return [float(text) for text in left]
