"""Shared by all plots: style, panels, readable axes, and reproducible SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

BLUE, ORANGE, GREEN, GREY = "#2563eb", "#ea580c", "#16a34a", "#94a3b8"
CYCLE = (BLUE, ORANGE, GREEN, "#9333ea", "#0891b2", GREY)
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=CYCLE),
    "axes.titlesize": 10,
    "grid.color": "#e2e8f0",
    "legend.frameon": False,
    "legend.fontsize": 9,
}


@contextmanager
def styled(name: str) -> Iterator[None]:
    """Plots made inside share a style, and equal figures give equal bytes.

    ``name`` makes ids unique among the plots of one page.
    """
    with mpl.rc_context(STYLE | {"svg.hashsalt": name}):
        yield


def panels(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (6.4, 2.9)
) -> tuple[Figure, list[Axes]]:
    """A figure and its panels in reading order; ``size`` is a panel's, in inches."""
    width, height = size
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    found = figure.subplots(rows, columns, squeeze=False)
    return figure, [axes for line in found for axes in line]


def named(axes: Axes, x: str, y: str, title: str = "", *, legend: bool = True) -> None:
    """Set title and labels of a panel."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)
    if legend and axes.get_legend_handles_labels()[0]:
        axes.legend()


def plain(axis: Axis) -> None:
    """A logarithmic axis with plain numbers instead of powers of ten."""
    set_scale = (
        axis.axes.set_xscale if axis is axis.axes.xaxis else axis.axes.set_yscale
    )
    set_scale("log")
    axis.set_major_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
    axis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))


def goal(axes: Axes, at: float, label: str, *, upright: bool = False) -> None:
    """Draw a limit as a line."""
    draw = axes.axvline if upright else axes.axhline
    draw(at, color=ORANGE, linestyle=":", linewidth=1, label=label)


def svg(figure: Figure, name: str) -> str:
    """The plot as an element of a page; ids begin with ``name`` to be unique there."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    return re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}", text)
