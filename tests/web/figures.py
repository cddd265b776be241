"""Times of the app in a real browser before a real server: ``make webbench``.

Prints one JSON document; run it on a machine that does nothing else. What is measured:

- ``frame_to_paint``: from a frame of the live socket to the paint after it, with 500
  slots in view;
- ``click_to_pixel``: from a click in one browser to the paint in another;
- ``burst``: all slots change in one frame, until the paint after it;
- ``lighthouse``: the median of five runs with the phone preset, and how many runs were
  repeated because Chromium gave Lighthouse no trace (NO_NAVSTART and the like).

One file because the measures share one server and one browser.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.fixtures.server import ROOT, ServerProcess
from tests.web.conftest import FLAGS, local, sign_in

PROVIDER = "/p/prv_4?type=consult&view=week"
TALL = {"width": 1280, "height": 3000}
ROUNDS = 40
SLOTS = 500
LIGHTHOUSE_RUNS = 5
LIGHTHOUSE_TRIES = 4
"""How often one run is begun before the benchmark gives up."""
LIGHTHOUSE_PAGES = {
    "first page": "/",
    "results": "/?q=general",
    "provider": "/p/prv_4?type=consult",
}

WATCH = """() => {
  window.painted = [];
  const Real = window.WebSocket;
  window.WebSocket = class extends Real {
    constructor(...given) {
      super(...given);
      window.line = this;
      this.addEventListener('message', event => {
        // A real frame would put the real week back in the place of the grown one.
        if (window.slots && event.isTrusted) return event.stopImmediatePropagation();
        const at = performance.now();
        requestAnimationFrame(() => {
          const channel = new MessageChannel();
          channel.port1.onmessage = () => window.painted.push(performance.now() - at);
          channel.port2.postMessage(0);
        });
      });
    }
  };
}"""

GROWN = """async count => {
  // Frames of the shown topic, made here: from the socket on the path is the same.
  const first = document.querySelector('.slot');
  const topic = window.topic;
  const start = new Date(first.dataset.start).getTime();
  const slots = Array.from({length: count}, (_, n) =>
    [new Date(start + n * 900000).toISOString().replace('.000', ''), 'free']);
  window.slots = slots;
  say({t: 'snapshot', topic, epoch: 9, version: 1, slots});
  await new Promise(done => setTimeout(done, 1500));
  return document.querySelectorAll('.slot').length;
  function say(frame) {
    const data = JSON.stringify(frame);
    window.line.dispatchEvent(new MessageEvent('message', {data}));
  }
}"""

CHANGED = """async ([version, share]) => {
  const state = version % 2 ? 'free' : 'booked';
  const slots = window.slots.slice(0, share).map(([start]) => [start, state]);
  const at = performance.now();
  const frame = {t: 'delta', topic: window.topic, epoch: 9, from: version, slots};
  frame.version = version + 1;
  const data = JSON.stringify(frame);
  window.line.dispatchEvent(new MessageEvent('message', {data}));
  await new Promise(requestAnimationFrame);
  await new Promise(done => {
    const channel = new MessageChannel();
    channel.port1.onmessage = done;
    channel.port2.postMessage(0);
  });
  return performance.now() - at;
}"""

TOPIC = """() => {
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (text) {
    const found = /"(slots\\/[^"]+)"/.exec(text);
    if (found) window.topic = found[1];
    return send.call(this, text);
  };
}"""


def _page(browser: Browser, **options: Any) -> Page:
    context = browser.new_context(
        locale="en-GB", timezone_id="Europe/London", service_workers="block", **options
    )
    return context.new_page()


def _spread(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "n": len(ordered),
        "p50_ms": round(statistics.median(ordered), 1),
        "p95_ms": round(ordered[int(len(ordered) * 0.95) - 1], 1),
        "max_ms": round(ordered[-1], 1),
    }


def frames(browser: Browser, base: str) -> dict[str, Any]:
    """Frames to paint: one slot of 500, and all of them at once."""
    page = _page(browser, viewport=TALL)
    page.add_init_script(f"({WATCH})(); ({TOPIC})();")
    page.goto(base + PROVIDER)
    page.locator('.slot[data-state="free"]').first.wait_for()
    shown = page.evaluate(GROWN, SLOTS)
    if shown != SLOTS:
        raise SystemExit(f"{shown} slots are in view instead of {SLOTS}: measure again")
    one = [page.evaluate(CHANGED, [n + 1, 1]) for n in range(ROUNDS)]
    burst = [page.evaluate(CHANGED, [ROUNDS + n + 1, SLOTS]) for n in range(10)]
    page.context.close()
    return {
        "slots": shown,
        "frame_to_paint": _spread(one),
        "burst": _spread(burst),
    }


SEEN = """([start, state]) => new Promise(done => {
  const slot = document.querySelector(`.slot[data-start="${start}"]`);
  new MutationObserver((_, all) => {
    if (slot.dataset.state !== state) return;
    all.disconnect();
    const now = () => done(performance.timeOrigin + performance.now());
    requestAnimationFrame(() => setTimeout(now));
  }).observe(slot, {attributes: true});
})"""

CLICKED = """start => {
  const at = performance.timeOrigin + performance.now();
  document.querySelector(`.slot[data-start="${start}"]`).click();
  return at;
}"""


def sights(browser: Browser, base: str) -> dict[str, float]:
    """A click in one browser to the paint in another; both read one clock."""
    one, two = _page(browser), _page(browser)
    one.goto(base + "/login")
    sign_in(one, "patient")
    times = []
    for page in (one, two):
        page.goto(base + PROVIDER)
        page.locator('.slot[data-state="free"]').first.wait_for()
    for _ in range(ROUNDS):
        slot = one.locator('.slot[data-state="free"]').first
        start = slot.get_attribute("data-start")
        two.evaluate(f"given => {{ window.seen = ({SEEN})(given); }}", [start, "held"])
        clicked = one.evaluate(CLICKED, start)
        times.append(two.evaluate("window.seen") - clicked)
        one.get_by_role("button", name="Give the time back").click()
        two.locator(f'.slot[data-start="{start}"][data-state="free"]').wait_for()
        one.locator(f'.slot[data-start="{start}"][data-state="free"]').wait_for()
    for page in (one, two):
        page.context.close()
    return _spread(times)


def lighthouse(base: str) -> dict[str, Any]:
    """Median scores of five runs of each page, with the phone preset."""
    found: dict[str, Any] = {}
    for name, path in LIGHTHOUSE_PAGES.items():
        repeated: Counter[str] = Counter()
        runs = [
            persistent(partial(lighthouse_once, base + path), repeated)
            for _ in range(LIGHTHOUSE_RUNS)
        ]
        found[name] = {**_scores(runs), "repeated": dict(repeated)}
    return found


class NoReport(Exception):
    """Lighthouse ended without a score; the code says why."""


def persistent(
    run: Callable[[], dict[str, Any]], repeated: Counter[str]
) -> dict[str, Any]:
    """The report of a run, which is repeated a few times if it gives none.

    ``repeated``: counts the runs that gave none, by Lighthouse's code.

    Raises:
        NoReport: the last try gave none either.
    """
    for left in reversed(range(LIGHTHOUSE_TRIES)):
        try:
            return run()
        except NoReport as none:
            if left == 0:
                raise
            repeated[str(none)] += 1
    raise AssertionError


def lighthouse_once(url: str) -> dict[str, Any]:
    """The report of one run.

    Raises:
        NoReport: Chromium gave no trace of a loaded page.
    """
    program = ROOT / "web" / "node_modules" / ".bin" / "lighthouse"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        ended = subprocess.run(
            [
                str(program),
                url,
                "--quiet",
                "--output=json",
                f"--output-path={report}",
                "--only-categories=performance,accessibility",
                "--chrome-flags=--headless=new --no-sandbox",
            ],
            env={"CHROME_PATH": shutil.which("chromium") or "", **_path()},
            check=False,
        )
        if not report.exists():
            raise NoReport(f"exit {ended.returncode}")
        found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    if error := found.get("runtimeError"):
        raise NoReport(error["code"])
    if ended.returncode:
        raise NoReport(f"exit {ended.returncode}")
    return found


def _path() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def _scores(runs: list[dict[str, Any]]) -> dict[str, float]:
    def median(values: list[float]) -> float:
        return round(statistics.median(values), 1)

    def audit(name: str) -> float:
        return median([one["audits"][name]["numericValue"] for one in runs])

    categories = ("performance", "accessibility")
    return {
        **{
            name: median([one["categories"][name]["score"] * 100 for one in runs])
            for name in categories
        },
        "lcp_ms": audit("largest-contentful-paint"),
        "tbt_ms": audit("total-blocking-time"),
        "cls": audit("cumulative-layout-shift"),
        "benchmark_index": median(
            [one["environment"]["benchmarkIndex"] for one in runs]
        ),
    }


def main(words: list[str]) -> int:
    """Start a server, measure, print. ``--no-lighthouse`` leaves Lighthouse out."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with (
            ServerProcess(
                data, SLOTCAST_SHARDS="1", SLOTCAST_RATE_LIMITS="false"
            ) as server,
            sync_playwright() as playwright,
        ):
            server.start()
            program = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
            found: dict[str, Any] = {
                **frames(browser, local(server)),
                "click_to_pixel": sights(browser, local(server)),
            }
            browser.close()
            if "--no-lighthouse" not in words:
                found["lighthouse"] = lighthouse(local(server))
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
