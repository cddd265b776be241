"""A site under test: its ways in, and the ``slotcast`` command on it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.fixtures.server import ROOT, clean_environment

COMMAND_S = 120.0


@dataclass
class Site:
    """Where a site is reached; the settings are those that its operator would use."""

    urls: list[str]
    settings: Mapping[str, str]
    prefix: tuple[str, ...] = ()
    """What comes before a command: ``ip netns exec HOST`` to run it there."""
    _signed: dict[tuple[str, str], str] = field(default_factory=dict)

    def slotcast(
        self, *words: str, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a ``slotcast`` command on this site to its end."""
        return subprocess.run(
            [*self.prefix, sys.executable, "-m", "cluster", *words],
            cwd=ROOT,
            env=clean_environment(**self.settings),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )

    def tokens(self, role: str, subjects: Sequence[str]) -> dict[str, str]:
        """A token for each; made once."""
        missing = [who for who in subjects if (role, who) not in self._signed]
        if missing:
            done = self.slotcast(
                *("token", "--role", role, "--subjects-from", "-", "--ttl", "24h"),
                stdin="\n".join(missing) + "\n",
            )
            assert done.returncode == 0, done.stderr
            made = zip(missing, done.stdout.split(), strict=True)
            self._signed.update({(role, who): token for who, token in made})
        return {who: self._signed[role, who] for who in subjects}
