"""The report of a run as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from loadtests.load.budgets import ms
from loadtests.load.outcome import Outcome
from loadtests.load.plots import plots

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #0f172a; background: #f8fafc;
  margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 1080px; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
.lead { color: #475569; margin: .2rem 0 1.2rem; }
.verdict { border-radius: 8px; padding: .8rem 1rem; font-weight: 600; }
.passed { background: #dcfce7; color: #14532d; }
.failed { background: #fee2e2; color: #7f1d1d; }
.verdict ul { margin: .4rem 0 0; padding-left: 1.2rem; font-weight: 400; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr));
  gap: .8rem; margin: 1.2rem 0; }
dl div { background: #fff; border: 1px solid #e2e8f0; border-radius: 8px;
  padding: .6rem .8rem; }
dt { color: #64748b; font-size: .8rem; } dd { margin: 0; font-size: 1.15rem; }
table { border-collapse: collapse; width: 100%; background: #fff;
  border: 1px solid #e2e8f0; border-radius: 8px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .35rem .7rem; border-top: 1px solid #eef2f7; }
th { color: #64748b; font-weight: 500; font-size: .8rem; border-top: 0; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
td.text { color: #475569; font-size: .85rem; }
.no { color: #b91c1c; font-weight: 600; } .yes { color: #15803d; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(430px, 1fr));
  gap: 1rem; }
figure { background: #fff; border: 1px solid #e2e8f0; border-radius: 8px; margin: 0;
  padding: .8rem; } figcaption { font-weight: 600; margin-bottom: .3rem; }
figure svg { width: 100%; height: auto; }
footer { color: #64748b; font-size: .85rem; margin-top: 2rem; }
"""


def write_page(outcome: Outcome, path: Path) -> None:
    """Write the report."""
    path.write_text(page(outcome), encoding="utf-8")


def page(outcome: Outcome) -> str:
    """The report as HTML."""
    plan = outcome.plan
    title = f"{plan.scenario}, {plan.users:,} users"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f"<h1>{escape(title)}</h1>",
        f"<p class=lead>{escape(plan.kind.about.capitalize())}. {outcome.began}</p>",
        _verdict(outcome),
        _tiles(outcome),
        _scale(outcome),
        "<h2>Budgets</h2>",
        _table(
            ["", "budget", "measured", ""],
            [
                [v.what, v.budget, v.measured, _mark(is_good=v.kept)]
                for v in outcome.verdicts
            ],
        ),
        "<h2>Invariants, checked after the run</h2>",
        _table(
            ["", ":finding", ""],
            [
                [f.name, ":" + f.sentence, _mark(is_good=f.holds)]
                for f in outcome.findings
            ],
        ),
        "<h2>Over time</h2><div class=plots>",
        *(
            f"<figure><figcaption>{escape(name)}</figcaption>{svg}</figure>"
            for name, svg in plots(outcome)
        ),
        "</div><h2>All counts</h2>",
        _figures(outcome),
        _footer(outcome),
    ]
    return "\n".join(parts) + "\n"


def _verdict(outcome: Outcome) -> str:
    if outcome.passed:
        kept = len(outcome.verdicts)
        text = f"All {kept} budgets are kept and all invariants hold."
        return f"<div class='verdict passed'>{text}</div>"
    items = "".join(f"<li>{escape(one)}</li>" for one in outcome.complaints)
    return f"<div class='verdict failed'>Broken:<ul>{items}</ul></div>"


def _tiles(outcome: Outcome) -> str:
    document = outcome.document()
    server, metrics = document["server"], document["server"]["metrics"]
    sight = outcome.tally.whole("live: change to sight")
    tiles = [
        ("people", f"{outcome.plan.users:,}"),
        ("seconds, of at most", f"{outcome.ran_s}, {outcome.plan.seconds:g}"),
        ("Locust processes", f"{outcome.plan.processes}"),
        ("bookings", f"{outcome.tally.whole('booked').count:,}"),
    ]
    if sight.buckets:
        middle, late = sight.percentile(50) or 0.0, sight.percentile(99) or 0.0
        tiles.append(("change to sight, p50, p99", f"{ms(middle)}, {ms(late)}"))
    if frames := metrics.get("slotcast_live_frames_sent"):
        tiles.append(("frames the server sent", f"{frames:,.0f}"))
        conflated = metrics.get("slotcast_live_conflations", 0)
        tiles.append(("missed frames merged into one state", f"{conflated:,.0f}"))
    if outcome.samples:
        if server["rss_max_mib"]:
            used = f"{server['cores_mean']:g}, {server['cores_max']:g}"
            tiles.append(("server's cores, mean and most", used))
            tiles.append(("server's memory", f"{server['rss_max_mib']:,} MiB"))
        theirs = document["locust"]
        used = f"{theirs['cores_mean']:g}, {theirs['cores_max']:g}"
        tiles.append(("Locust's cores, mean and most", used))
        tiles.append(("Locust's memory", f"{theirs['rss_max_mib']:,} MiB"))
    shown = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in tiles
    )
    return f"<dl>{shown}</dl>"


def _scale(outcome: Outcome) -> str:
    if outcome.plan.scenario != "national":
        return ""
    return f"<p>{escape(outcome.scale.sentence())}</p>"


def _figures(outcome: Outcome) -> str:
    rows = []
    for row in outcome.rows():
        times = [row[name] for name in ("p50_ms", "p90_ms", "p99_ms", "max_ms")]
        ends = ", ".join(
            f"{code} × {n:,}" for code, n in sorted(row["outcomes"].items())
        )
        rows.append(
            [
                row["name"],
                f"{row['count']:,}",
                f"{row['failed']:,}",
                *("" if one is None else ms(one) for one in times),
                ":" + ends,
            ]
        )
    heads = ["", "count", "failed", "p50", "p90", "p99", "max", ":outcomes"]
    return _table(heads, rows)


def _footer(outcome: Outcome) -> str:
    document: dict[str, Any] = outcome.document()
    made_on = f"{document['machine']}; commit {document['commit']}"
    return (
        f"<footer><p>{escape(made_on)}; seed {outcome.plan.seed}. "
        "Locust and the server share the machine, which affects "
        "all times. Change to sight covers changes that were requested "
        "in the same Locust process. Percentiles are accurate to 2 %. "
        "Locust's own report: <a href=locust.html>locust.html</a>, its tables: "
        "<a href=locust_stats.csv>locust_stats.csv</a>, this page as JSON: "
        "<a href=report.json>report.json</a>.</p></footer>"
    )


def _mark(*, is_good: bool) -> str:
    return "✓" if is_good else "✗"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a cell that begins with ``:`` is text and left-aligned."""
    head = "".join(
        f"<th{' class=text' if name.startswith(':') else ''}>"
        f"{escape(name.removeprefix(':'))}</th>"
        for name in heads
    )
    body = "".join(
        "<tr>"
        + "".join(_cell(number, cell) for number, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(number: int, text: str) -> str:
    if text in {"✓", "✗"}:
        return f"<td class={'yes' if text == '✓' else 'no'}>{text}</td>"
    is_text = number > 0 and text.startswith(":")
    shown = escape(text.removeprefix(":") if is_text else text)
    return f"<td{' class=text' if is_text else ''}>{shown}</td>"
