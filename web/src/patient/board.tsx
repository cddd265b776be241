import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useRef, useState } from "react";
import type { ProviderItem } from "../app/api";
import { useFollow } from "../app/shell";
import { localOf, sayDay } from "../app/time";
import type { SlotState } from "../live/frames";
import { useLive } from "../live/hooks";
import type { LiveSocket } from "../live/socket";
import { watchedOf, type Watched } from "./result";

/** Pixels of a row: a target that a finger hits. */
const ROW = 30;
const SQUARE = 6;
const STEP = 8;
/** Lines of squares in a row, filled from top to bottom. */
const LINES = 3;
/** How long a change is ringed. */
const RING_MS = 1_600;
const RINGS_MAX = 12;
/** The sentence beneath is renewed at most so often. */
const SAID_EVERY_MS = 1_000;

interface Row extends Watched {
  provider: string;
  name: string;
}

interface Change {
  name: string;
  zone: string;
  start: string;
  state: SlotState | "gone";
}

interface Totals {
  free: number;
  taken: number;
  change: Change | undefined;
}

/** The live board: a row a calendar, a square a time, all on one canvas. */
export function Board({ items }: { items: readonly ProviderItem[] }) {
  const { t } = useLingui();
  const follow = useFollow();
  const rows = items.flatMap((item) => {
    const watched = watchedOf(item);
    return watched === undefined ? [] : [{ ...watched, provider: item.provider_id, name: item.name }];
  });
  const { canvas, totals } = useDrawn(rows);
  return (
    <div className="board card">
      <h2 className="small">
        <span className="pulse" aria-hidden="true" /> <Trans>Live now</Trans>
      </h2>
      <div className="board-rows">
        <ul aria-label={t`Calendars on the board`}>
          {rows.map((row) => (
            <li key={row.provider}>
              <a href={`/p/${row.provider}?type=${row.type}`} onClick={follow} dir="auto">
                <bdi>{row.name}</bdi>
              </a>
            </li>
          ))}
        </ul>
        <canvas ref={canvas} aria-hidden="true" />
      </div>
      <ul className="legend small" aria-hidden="true">
        <li data-state="free">
          <Trans>free</Trans>
        </li>
        <li data-state="held">
          <Trans>being booked</Trans>
        </li>
        <li data-state="booked">
          <Trans>taken</Trans>
        </li>
      </ul>
      <p className="small quiet said">
        {totals === undefined ? (
          " "
        ) : (
          <>
            <Plural value={totals.free} one="# time free" other="# times free" />
            {", "}
            <Plural value={totals.taken} one="# taken" other="# taken" />
            {totals.change !== undefined && <LastChange change={totals.change} />}
          </>
        )}
      </p>
    </div>
  );
}

function LastChange({ change }: { change: Change }) {
  const { name, zone, start, state } = change;
  const { date, time } = localOf(start, zone);
  const when = `${sayDay(date, { weekday: "short" })} ${time}`;
  return (
    <>
      {" · "}
      <bdi>
        {name}, {when}
      </bdi>
      {": "}
      {state === "free" ? (
        <Trans>free again</Trans>
      ) : state === "held" ? (
        <Trans>being booked</Trans>
      ) : state === "booked" ? (
        <Trans>taken just now</Trans>
      ) : (
        <Trans>no longer offered</Trans>
      )}
    </>
  );
}

function useDrawn(rows: readonly Row[]) {
  const live = useLive();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [totals, setTotals] = useState<Totals>();
  const names = rows.map((row) => row.topic).join(" ");
  const latest = useRef(rows);
  useEffect(() => {
    latest.current = rows;
  });
  useEffect(() => {
    if (names === "") return;
    return begin(live, latest.current, canvas.current!, setTotals);
  }, [live, names]);
  return { canvas, totals };
}

/** Draw now and after every change; the end of it. */
function begin(
  live: LiveSocket,
  rows: readonly Row[],
  canvas: HTMLCanvasElement,
  tell: (totals: Totals) => void,
): () => void {
  const seen = new Map<string, Map<string, SlotState>>();
  const rings = new Map<string, number>();
  let change: Change | undefined;
  let frame = 0;
  let timer = 0;
  let saidAt = 0;
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const draw = () => {
    frame = 0;
    const isMoving = paint(canvas, live, rows, rings);
    if (isMoving) later();
  };
  const later = () => {
    frame ||= requestAnimationFrame(draw);
  };
  const say = () => {
    timer = 0;
    saidAt = performance.now();
    tell({ ...counted(live, rows), change });
  };
  const changed = (row: Row) => {
    const view = live.view(row.topic);
    if (view === undefined || view.version < 0) return;
    const { slots } = view;
    const before = seen.get(row.topic);
    seen.set(row.topic, new Map(slots));
    for (const [start, state] of before === undefined ? [] : slots) {
      if (before?.get(start) === state) continue;
      change = { name: row.name, zone: row.zone, start, state };
      if (!isStill && rings.size < RINGS_MAX) rings.set(`${row.topic} ${start}`, performance.now());
    }
    later();
    timer ||= window.setTimeout(say, Math.max(0, SAID_EVERY_MS - (performance.now() - saidAt)));
  };
  const ends = rows.map((row) => live.watch(row.topic, () => changed(row)));
  ends.push(live.watchLink(later));
  const size = new ResizeObserver(later);
  size.observe(canvas.parentElement!);
  const mode = matchMedia("(prefers-color-scheme: dark)");
  mode.addEventListener("change", later);
  rows.forEach(changed);
  return () => {
    ends.forEach((end) => end());
    size.disconnect();
    mode.removeEventListener("change", later);
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}

function counted(live: LiveSocket, rows: readonly Row[]) {
  let free = 0;
  let taken = 0;
  for (const { topic } of rows) {
    for (const state of live.view(topic)?.slots.values() ?? []) {
      if (state === "free") free += 1;
      else taken += 1;
    }
  }
  return { free, taken };
}

/** Paint all rows; whether a ring still fades. */
function paint(
  canvas: HTMLCanvasElement,
  live: LiveSocket,
  rows: readonly Row[],
  rings: Map<string, number>,
): boolean {
  const columns = Math.max(0, Math.floor(canvas.clientWidth / STEP));
  const height = rows.length * ROW;
  const dense = devicePixelRatio || 1;
  if (columns === 0) return false;
  canvas.width = Math.round(canvas.clientWidth * dense);
  canvas.height = Math.round(height * dense);
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d")!;
  pen.scale(dense, dense);
  const paints = coloursOf(canvas);
  const isRtl = getComputedStyle(canvas).direction === "rtl";
  const now = performance.now();
  rows.forEach(({ topic }, index) => {
    const starts = live.view(topic)?.starts ?? [];
    starts.slice(0, columns * LINES).forEach((start, place) => {
      const state = live.slot(topic, start);
      const column = Math.floor(place / LINES);
      const x = isRtl ? canvas.clientWidth - column * STEP - SQUARE : column * STEP;
      const y = index * ROW + (ROW - LINES * STEP) / 2 + (place % LINES) * STEP;
      pen.globalAlpha = 1;
      square(pen, x, y, paints, state);
      const since = rings.get(`${topic} ${start}`);
      if (since === undefined) return;
      pen.globalAlpha = Math.max(0, 1 - (now - since) / RING_MS);
      pen.strokeStyle = paints.ring;
      pen.lineWidth = 2;
      pen.strokeRect(x - 1, y - 1, SQUARE + 2, SQUARE + 2);
    });
  });
  for (const [key, since] of rings) if (now - since > RING_MS) rings.delete(key);
  return rings.size > 0;
}

type Paints = Record<"free" | "held" | "booked" | "unknown" | "ring", string>;

function square(
  pen: CanvasRenderingContext2D,
  x: number,
  y: number,
  paints: Paints,
  state: SlotState | "unknown" | undefined,
): void {
  if (state === undefined) return;
  pen.fillStyle = pen.strokeStyle = paints[state];
  pen.lineWidth = 1.5;
  if (state === "booked") pen.fillRect(x + 1, y + SQUARE / 2 - 0.75, SQUARE - 2, 1.5);
  else if (state === "unknown") pen.strokeRect(x + 1, y + 1, SQUARE - 2, SQUARE - 2);
  else {
    pen.beginPath();
    pen.roundRect(x, y, SQUARE, SQUARE, 2);
    pen.fill();
  }
}

/** The page's colours, resolved: custom properties name both modes. */
function coloursOf(canvas: HTMLCanvasElement): Paints {
  const probe = document.createElement("i");
  canvas.parentElement!.append(probe);
  const read = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    free: read("--accent"),
    held: read("--held-edge"),
    booked: read("--edge"),
    unknown: read("--line"),
    ring: read("--focus"),
  };
  probe.remove();
  return found;
}
