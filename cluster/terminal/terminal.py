"""Terminal output: results on stdout, progress and errors on stderr.

Coloured and moving on a terminal, plain lines elsewhere; never wrapped, so that
tokens and commands can be copied.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from cluster.terminal.obstacle import Obstacle

WIDTH_ELSE = 200
"""Columns where there is no terminal: tables are not squeezed into a file."""
Progressing = Any
"""Called as ``(what, done, total)``."""


class Terminal:
    """The consoles for stdout and stderr."""

    def __init__(self) -> None:
        self._attach(None, None)

    def _attach(self, out: TextIO | None, err: TextIO | None) -> None:
        is_terminal = (out or sys.stdout).isatty()
        self.out = Console(
            file=out,
            highlight=False,
            soft_wrap=True,
            width=None if is_terminal else WIDTH_ELSE,
        )
        self.err = Console(
            file=err, stderr=err is None, highlight=False, soft_wrap=True
        )

    @contextmanager
    def apart(self, path: Path) -> Iterator[None]:
        """Reserve the terminal; output of libraries goes to ``path``.

        Including output of C++ code, since the file descriptors themselves are
        redirected.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        sys.stdout.flush()
        sys.stderr.flush()
        kept = [os.dup(1), os.dup(2)]
        with path.open("ab", buffering=0) as noise:
            os.dup2(noise.fileno(), 1)
            os.dup2(noise.fileno(), 2)
        out, err = (os.fdopen(os.dup(fd), "w", encoding="utf-8") for fd in kept)
        self._attach(out, err)
        try:
            yield
        finally:
            out.close()
            err.close()
            for number, descriptor in enumerate(kept, start=1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            self._attach(None, None)

    def say(self, text: str = "") -> None:
        """A line of the result."""
        self.out.print(text, markup=False)

    def note(self, text: str, style: str = "") -> None:
        """A line beside the result: progress, a warning."""
        self.err.print(text, markup=False, style=style or None)

    def json(self, value: object) -> None:
        """Print the result for programs: one JSON document."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
        sys.stdout.flush()

    def trouble(self, obstacle: Obstacle) -> None:
        """Print an obstacle and its remedy."""
        self.err.print(f"[bold red]{escape(obstacle.wrong)}[/]")
        if obstacle.remedy:
            self.err.print("  " + obstacle.remedy, markup=False)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show one running step, and its duration at the end."""
        began = time.perf_counter()
        if self.err.is_terminal:
            with self.err.status(escape(text) + " …"):
                yield
        else:
            yield
        took = time.perf_counter() - began
        self.err.print(f"{text:<44} {took:5.1f} s", markup=False)

    @contextmanager
    def progress(self) -> Iterator[Progressing]:
        """A bar per kind of work; without a terminal, one line per kind at its end."""
        if self.err.is_terminal:
            with _bars(self.err) as bars:
                tasks: dict[str, Any] = {}

                def move(what: str, done: int, total: int) -> None:
                    if what not in tasks:
                        tasks[what] = bars.add_task(what, total=total)
                    bars.update(tasks[what], completed=done, total=total)

                yield move
        else:

            def tell(what: str, done: int, total: int) -> None:
                if done == total:
                    self.err.print(f"  {what}: {done} of {total}", markup=False)

            yield tell

    def table(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]
    ) -> None:
        """A table; numbers to the right."""
        table = Table(title=title or None, title_justify="left", pad_edge=False)
        for index, column in enumerate(columns):
            numeric = bool(rows) and all(
                isinstance(row[index], int | float) for row in rows
            )
            table.add_column(column, justify="right" if numeric else "left")
        for row in rows:
            table.add_row(*(escape(_text(cell)) for cell in row))
        self.out.print(table)

    def facts(self, facts: Mapping[str, object]) -> None:
        """Names and values, one per line, aligned."""
        width = max(map(len, facts), default=0)
        for name, value in facts.items():
            self.say(f"{name:<{width}}  {_text(value)}")


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def _text(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
