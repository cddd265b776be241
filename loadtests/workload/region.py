"""The clinics and providers of a server under load, and tokens for its users."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from loadtests.wire.http_client import HttpClient


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider, with its shortest visit type."""

    provider_id: str
    clinic_id: str
    visit_type: str
    minutes: int


@dataclass(slots=True)
class Region:
    """Clinics and their providers."""

    providers: list[Provider]
    clinics: dict[str, list[Provider]] = field(init=False)

    def __post_init__(self) -> None:
        self.clinics = {}
        for provider in self.providers:
            self.clinics.setdefault(provider.clinic_id, []).append(provider)

    def homes(self, places: Iterable[str]) -> dict[str, str]:
        """A clinic for each place: busy places first, to the least loaded clinic."""
        load = dict.fromkeys(sorted(self.clinics), 0.0)
        home: dict[str, str] = {}
        for place, visits in sorted(
            Counter(places).items(), key=lambda item: (-item[1], item[0])
        ):
            clinic = min(load, key=lambda name: (load[name], name))
            home[place] = clinic
            load[clinic] += visits / len(self.clinics[clinic])
        return home


class RegionUnusable(Exception):
    """The server has no bookable provider."""


async def discover(client: HttpClient) -> Region:
    """All providers that the server lists. Raises RegionUnusable if there is none."""
    providers: list[Provider] = []
    cursor = ""
    while True:
        path = "/v1/providers?limit=100" + (
            f"&cursor={quote(cursor)}" if cursor else ""
        )
        answer = await client.ask("GET", path)
        if answer.status != 200:
            raise RegionUnusable(f"GET /v1/providers answered {answer.status}")
        page: dict[str, Any] = answer.json()
        for item in page["items"]:
            kinds = sorted(item["visit_types"], key=lambda kind: kind["minutes"])
            if kinds:
                providers.append(
                    Provider(
                        item["provider_id"],
                        item["clinic"]["clinic_id"],
                        kinds[0]["visit_type"],
                        kinds[0]["minutes"],
                    )
                )
        cursor = page.get("next_cursor") or ""
        if not cursor:
            break
    if not providers:
        raise RegionUnusable("the server lists no provider; seed or import some first")
    return Region(providers)


def slotcast_command() -> str:
    """Path of the ``slotcast`` command: beside this Python, or on PATH."""
    beside = Path(sys.executable).with_name("slotcast")
    found = str(beside) if beside.exists() else shutil.which("slotcast")
    if not found:
        raise FileNotFoundError("no slotcast command beside this Python or on PATH")
    return found


async def run_slotcast(*arguments: str, stdin: str = "") -> tuple[int, str]:
    """Run the ``slotcast`` command; its exit status and output."""
    process = await asyncio.create_subprocess_exec(
        slotcast_command(),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin.encode())
    text = out.decode() if process.returncode == 0 else out.decode() + err.decode()
    return process.returncode or 0, text


async def tokens(role: str, subjects: Sequence[str]) -> dict[str, str]:
    """A signed token for each subject, made by ``slotcast token``."""
    if not subjects:
        return {}
    status, text = await run_slotcast(
        "token",
        "--role",
        role,
        "--subjects-from",
        "-",
        "--ttl",
        "24h",
        stdin="\n".join(subjects) + "\n",
    )
    lines = text.split()
    if status != 0 or len(lines) != len(subjects):
        raise RuntimeError(f"slotcast token failed: {text.strip()[:300]}")
    return dict(zip(subjects, lines, strict=True))
