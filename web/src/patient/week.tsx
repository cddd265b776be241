import { msg } from "@lingui/core/macro";
import { useLingui } from "@lingui/react/macro";
import { memo, useEffect, useMemo, useRef, type KeyboardEvent } from "react";
import { addDays, localOf, sayDay, type Local } from "../app/time";
import { useSlot } from "../live/hooks";

export interface Grid {
  topic: string;
  zone: string;
  monday: string;
  starts: readonly string[];
  /** The start that this page holds. */
  mine: string | undefined;
  onTake: (start: string) => void;
}

/** A start on the clinic's clock. */
interface Placed extends Local {
  start: string;
}

/** Starts by local date; worked out again only when a start came or went. */
export function useByDay(starts: readonly string[], zone: string): Map<string, Placed[]> {
  return useMemo(() => {
    const found = new Map<string, Placed[]>();
    for (const start of starts) {
      const placed = { start, ...localOf(start, zone) };
      const day = found.get(placed.date);
      if (day === undefined) found.set(placed.date, [placed]);
      else day.push(placed);
    }
    return found;
  }, [starts, zone]);
}

/** A day as it is called in full. */
export const longDay = (day: string) => sayDay(day, { weekday: "long", day: "numeric", month: "long" });

/**
 * A week as a grid: a row an hour, in each day's cell the starts of that hour. A delta does not
 * render it: only the slots whose state changed.
 */
export const WeekGrid = memo(function WeekGrid(grid: Grid) {
  const { t } = useLingui();
  const days = Array.from({ length: 7 }, (_, index) => addDays(grid.monday, index));
  const found = useByDay(grid.starts, grid.zone);
  const hours = [...new Set([...found.values()].flat().map((one) => one.hour))].sort((a, b) => a - b);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // One tab stop for the whole grid: the first time that can be taken, else the first.
    const slots = box.current!.querySelectorAll<HTMLElement>(".slot");
    if ([...slots].some((one) => one.tabIndex === 0)) return;
    const stop = box.current!.querySelector<HTMLElement>('.slot[data-state="free"]') ?? slots[0];
    if (stop !== undefined) stop.tabIndex = 0;
  });
  return (
    <div
      className="week"
      role="group"
      aria-label={t`Times of the week`}
      ref={box}
    >
      <span />
      {days.map((day) => (
        <span key={day} className="head">
          <small>{sayDay(day, { weekday: "short" })}</small>
          {Number(day.slice(8))}
        </span>
      ))}
      {hours.map((hour) => (
        <HourRow key={hour} hour={hour} days={days} found={found} grid={grid} />
      ))}
    </div>
  );
});

function HourRow(props: {
  hour: number;
  days: readonly string[];
  found: Map<string, Placed[]>;
  grid: Grid;
}) {
  const { hour, days, found, grid } = props;
  return (
    <>
      <span className="hour">{String(hour).padStart(2, "0")}</span>
      {days.map((day) => (
        <div key={day} className="cell">
          {(found.get(day) ?? [])
            .filter((one) => one.hour === hour)
            .map(({ start, time }) => (
              <Slot
                key={start}
                topic={grid.topic}
                start={start}
                time={time}
                day={longDay(day)}
                isMine={start === grid.mine}
                onTake={grid.onTake}
                isRoving
              />
            ))}
        </div>
      ))}
    </>
  );
}

interface SlotProps {
  topic: string;
  start: string;
  /** The start on the clinic's clock, and its day in full. */
  time: string;
  day: string;
  isMine: boolean;
  onTake: (start: string) => void;
  /** Whether arrow keys move among the slots, of which one is a tab stop. */
  isRoving?: boolean;
}

const WORDS = {
  free: msg`free`,
  held: msg`being booked by someone else, may come back`,
  booked: msg`taken`,
  mine: msg`kept for you`,
  unknown: msg`not known while live is interrupted`,
  gone: msg`no longer offered`,
};

/** One start; only its own changes render it again, and no date is put into words for that. */
export const Slot = memo(function Slot(props: SlotProps) {
  const { topic, start, time, day, isMine, onTake, isRoving = false } = props;
  const { i18n } = useLingui();
  const seen = useSlot(topic, start) ?? "gone";
  const state = isMine ? "mine" : seen;
  const canTake = state === "free" || state === "mine";
  return (
    <button
      type="button"
      className="slot"
      data-state={state}
      data-start={start}
      tabIndex={isRoving ? -1 : 0}
      onKeyDown={isRoving ? rove : undefined}
      onFocus={isRoving ? (event) => stopHere(event.currentTarget) : undefined}
      aria-disabled={!canTake}
      aria-label={`${day}, ${time}, ${i18n._(WORDS[state])}`}
      onClick={() => {
        if (canTake) onTake(start);
      }}
    >
      <bdi>{time}</bdi>
    </button>
  );
});

/** One tab stop for all slots; arrow keys move among them. */
function rove(event: KeyboardEvent<HTMLElement>): void {
  const box = event.currentTarget.closest(".week");
  const steps: Record<string, [number, number]> = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, -1],
    ArrowDown: [0, 1],
  };
  const step = steps[event.key];
  if (step === undefined || box === null) return;
  const from = event.currentTarget.getBoundingClientRect();
  const [dx, dy] = step;
  let best: HTMLElement | undefined;
  let least = Infinity;
  for (const one of box.querySelectorAll<HTMLElement>(".slot")) {
    const at = one.getBoundingClientRect();
    const along = dx !== 0 ? (at.x - from.x) * dx : (at.y - from.y) * dy;
    const across = dx !== 0 ? Math.abs(at.y - from.y) : Math.abs(at.x - from.x);
    if (along < 4) continue;
    const cost = along + across * 4;
    if (cost < least) {
      least = cost;
      best = one;
    }
  }
  if (best === undefined) return;
  event.preventDefault();
  best.focus();
}

function stopHere(slot: HTMLElement): void {
  for (const one of slot.closest(".week")?.querySelectorAll<HTMLElement>('.slot[tabindex="0"]') ?? []) {
    one.tabIndex = -1;
  }
  slot.tabIndex = 0;
}
