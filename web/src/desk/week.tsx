import { Trans, useLingui } from "@lingui/react/macro";
import { lazy, Suspense, useEffect, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import { addDays, localOf, sayDay, sayStart, today } from "../app/time";
import type { Booking } from "../live/frames";
import { speakOut } from "../ui/spoken";
import type { Doing } from "./day";
import { PatientName } from "./names";
import { minuteOf, placed, stepped, together, type Placed } from "./lanes";
import { statusName, targetsOf, useMinutes, type Fresh } from "./visit";

const SessionBlock = lazy(async () => ({ default: (await import("./session")).SessionBlock }));

/** Pixels of an hour, and of the smallest step that a drag snaps to. */
const HOUR = 72;
const SNAP_MIN = 5;
/** A pointer that moved less meant a click. */
const DRAG_PX = 5;

interface Props {
  rows: readonly Booking[];
  monday: string;
  fresh: Fresh;
  doing: Doing;
}

/** A move that is not decided yet: where the visit would go. */
interface Moving {
  visit: Booking;
  targets: readonly string[] | undefined;
  at: string;
  isDragged: boolean;
}

/** A week as a grid, a column a day; visits are moved by pointer or with Alt and the arrow keys. */
export function WeekView({ rows, monday, fresh, doing }: Props) {
  const { zone } = doing;
  const days = Array.from({ length: 7 }, (_, index) => addDays(monday, index));
  const shown = rows.filter((one) => {
    const { date } = localOf(one.start, zone);
    return date >= monday && date <= days[6]! && (one.status !== "cancelled" || fresh.has(one.booking_id));
  });
  const sessions = together(shown);
  const all = placed(sessions.shown, zone);
  const first = Math.min(8, ...all.map((one) => Math.floor(one.from / 60)));
  const last = Math.max(18, ...all.map((one) => Math.ceil((one.from + one.minutes) / 60)));
  const grid = useRef<HTMLDivElement>(null);
  const { moving, begin, drag, drop, step, leave } = useMoving(doing, monday);
  const now = useMinutes();
  const at = (event: PointerEvent, grab: number): string | undefined =>
    startAt(event, grid.current!, grab, days, first, moving?.targets ?? [], zone);
  return (
    <div className="scroll">
      <p className="quiet small" id="week-how">
        <Trans>Drag a visit to move it, or press Alt and an arrow key on it.</Trans>
      </p>
      <div className="weekgrid" ref={grid}>
        <div className="hours" aria-hidden="true">
          <span className="daybox" />
          {Array.from({ length: last - first }, (_, index) => (
            <span key={index} style={{ blockSize: HOUR }}>
              {String(first + index).padStart(2, "0")}
            </span>
          ))}
        </div>
        {days.map((day) => (
          <section key={day} aria-label={sayDay(day, { weekday: "long", day: "numeric", month: "long" })}>
            <h2 className="daybox" data-today={day === today(zone, now)}>
              <small>{sayDay(day, { weekday: "short" })}</small> {Number(day.slice(8))}
            </h2>
            <div className="column" data-day={day} style={{ blockSize: (last - first) * HOUR }}>
              <Targets moving={moving} day={day} first={first} zone={zone} />
              {day === today(zone, now) && <NowLine zone={zone} now={now} first={first} last={last} />}
              {all
                .filter((one) => one.date === day)
                .map((one) => (sessions.patients.get(one.visit.booking_id) ?? 1) > 1 ? (
                  <Suspense key={one.visit.booking_id} fallback={null}>
                    <SessionBlock
                      visit={one.visit}
                      rows={rows}
                      title={doing.titles.get(one.visit.visit_type) ?? one.visit.visit_type}
                      zone={zone}
                      style={boxOf(one.from, one.minutes, first, one.lane, one.lanes)}
                    />
                  </Suspense>
                ) : (
                  <Block
                    key={one.visit.booking_id}
                    place={one}
                    first={first}
                    mark={fresh.get(one.visit.booking_id)}
                    doing={doing}
                    isMoving={moving?.visit.booking_id === one.visit.booking_id}
                    onBegin={(isDragged) => begin(one.visit, isDragged)}
                    onDrag={(event, grab) => drag(at(event, grab))}
                    onDrop={drop}
                    onStep={(how) => step(one.visit, how)}
                    onLeave={leave}
                  />
                ))}
              {moving !== undefined && localOf(moving.at, zone).date === day && moving.at !== moving.visit.start && (
                <div className="ghost" style={boxOf(minuteOf(moving.at, zone), lengthOf(moving.visit), first, 0, 1)}>
                  <bdi>{localOf(moving.at, zone).time}</bdi>
                </div>
              )}
            </div>
          </section>
        ))}
      </div>
    </div>
  );
}

function useMoving(doing: Doing, monday: string) {
  const { t } = useLingui();
  const { zone, onMove } = doing;
  const [moving, setMoving] = useState<Moving>();
  const begin = async (visit: Booking, isDragged: boolean): Promise<readonly string[] | undefined> => {
    if (moving?.visit.booking_id === visit.booking_id && moving.targets !== undefined) return moving.targets;
    setMoving({ visit, targets: undefined, at: visit.start, isDragged });
    const targets = await targetsOf(visit, monday, addDays(monday, 6)).catch(() => undefined);
    if (targets === undefined) {
      setMoving(undefined);
      speakOut(t`The free times could not be loaded. Try again.`);
      return undefined;
    }
    setMoving((now) => (now?.visit.booking_id === visit.booking_id ? { ...now, targets } : now));
    return targets;
  };
  const leave = () => {
    if (moving !== undefined) speakOut(t`Not moved.`);
    setMoving(undefined);
  };
  const drop = () => {
    if (moving === undefined) return;
    if (moving.at !== moving.visit.start) onMove(moving.visit, moving.at);
    setMoving(undefined);
  };
  const drag = (start: string | undefined) => {
    setMoving((now) => now && { ...now, at: start ?? now.visit.start });
  };
  const step = async (visit: Booking, how: { days: number } | { minutes: number }) => {
    const targets = await begin(visit, false);
    if (targets === undefined) return;
    const from = moving?.visit.booking_id === visit.booking_id ? moving.at : visit.start;
    const next = stepped(targets, from, how, zone);
    if (next === undefined) return speakOut(t`Nothing is free there.`);
    setMoving({ visit, targets, at: next, isDragged: false });
    const when = sayStart(next, zone);
    speakOut(t`Move to ${when}? Enter moves it, Escape leaves it.`);
  };
  return { moving, begin, drag, drop, step, leave };
}

const lengthOf = (visit: Booking) => (Date.parse(visit.end) - Date.parse(visit.start)) / 60_000;

function boxOf(from: number, minutes: number, first: number, lane: number, lanes: number) {
  return {
    insetBlockStart: ((from - first * 60) / 60) * HOUR,
    blockSize: Math.max(22, (minutes / 60) * HOUR - 2),
    insetInlineStart: `${(lane / lanes) * 100}%`,
    inlineSize: `calc(${100 / lanes}% - 3px)`,
  };
}

/** The free start under the pointer: the nearest at or before the visit's upper edge. */
function startAt(
  event: PointerEvent,
  grid: HTMLElement,
  grab: number,
  days: readonly string[],
  first: number,
  targets: readonly string[],
  zone: string,
): string | undefined {
  const columns = [...grid.querySelectorAll<HTMLElement>(".column")];
  const index = columns.findIndex((one) => {
    const box = one.getBoundingClientRect();
    return event.clientX >= box.left && event.clientX < box.right;
  });
  if (index < 0) return undefined;
  const top = columns[index]!.getBoundingClientRect().top;
  const minute = first * 60 + Math.round((((event.clientY - grab - top) / HOUR) * 60) / SNAP_MIN) * SNAP_MIN;
  const near = targets.filter((one) => {
    return localOf(one, zone).date === days[index] && Math.abs(minuteOf(one, zone) - minute) <= 15;
  });
  return near.sort((a, b) => Math.abs(minuteOf(a, zone) - minute) - Math.abs(minuteOf(b, zone) - minute))[0];
}

/** Where the visit that is being moved would fit. */
function Targets(props: { moving: Moving | undefined; day: string; first: number; zone: string }) {
  const { moving, day, first, zone } = props;
  if (moving?.targets === undefined) return null;
  return moving.targets
    .filter((one) => localOf(one, zone).date === day)
    .map((one) => (
      <span
        key={one}
        className="target"
        style={{ insetBlockStart: ((minuteOf(one, zone) - first * 60) / 60) * HOUR }}
      />
    ));
}

function NowLine({ zone, now, first, last }: { zone: string; now: number; first: number; last: number }) {
  const minute = minuteOf(new Date(now).toISOString(), zone);
  if (minute < first * 60 || minute > last * 60) return null;
  return <hr className="nowline" style={{ insetBlockStart: ((minute - first * 60) / 60) * HOUR }} />;
}

interface BlockProps {
  place: Placed;
  first: number;
  mark: string | undefined;
  doing: Doing;
  isMoving: boolean;
  onBegin: (isDragged: boolean) => void;
  onDrag: (event: PointerEvent, grab: number) => void;
  onDrop: () => void;
  onStep: (how: { days: number } | { minutes: number }) => void;
  onLeave: () => void;
}

function Block(props: BlockProps) {
  const { place, first, mark, doing, isMoving, onBegin, onDrag, onDrop, onStep, onLeave } = props;
  const { visit } = place;
  const { t, i18n } = useLingui();
  const grabbed = useRef<{ x: number; y: number; grab: number; isDragging: boolean }>(undefined);
  const button = useRef<HTMLButtonElement>(null);
  const canMove = visit.status === "booked";
  useEffect(() => {
    // A click that ends a drag must not open the visit.
    if (!isMoving) grabbed.current = undefined;
  }, [isMoving]);
  const down = (event: PointerEvent<HTMLButtonElement>) => {
    if (!canMove || event.button !== 0) return;
    const grab = event.clientY - event.currentTarget.getBoundingClientRect().top;
    grabbed.current = { x: event.clientX, y: event.clientY, grab, isDragging: false };
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const over = (event: PointerEvent<HTMLButtonElement>) => {
    const from = grabbed.current;
    if (from === undefined) return;
    if (!from.isDragging) {
      if (Math.hypot(event.clientX - from.x, event.clientY - from.y) < DRAG_PX) return;
      from.isDragging = true;
      onBegin(true);
    }
    onDrag(event, from.grab);
  };
  const up = () => {
    if (grabbed.current?.isDragging === true) onDrop();
    else if (grabbed.current !== undefined) doing.onPick(visit);
    grabbed.current = undefined;
  };
  const key = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    if (event.altKey && step !== undefined && canMove) {
      event.preventDefault();
      onStep(step);
    } else if (isMoving && event.key === "Enter") {
      event.preventDefault();
      onDrop();
    } else if (isMoving && event.key === "Escape") {
      event.preventDefault();
      onLeave();
    } else if (event.key === "Enter" && canMove) {
      event.preventDefault();
      doing.onPick(visit);
    }
  };
  const { time } = localOf(visit.start, doing.zone);
  const title = doing.titles.get(visit.visit_type) ?? visit.visit_type;
  const status = i18n._(statusName(visit));
  return (
    <button
      ref={button}
      type="button"
      className="block"
      data-status={visit.status}
      data-fresh={mark !== undefined}
      data-moving={isMoving}
      data-booking={visit.booking_id}
      data-start={visit.start}
      title={t`${title}, ${status}`}
      aria-describedby="week-how"
      style={boxOf(place.from, place.minutes, first, place.lane, place.lanes)}
      onPointerDown={down}
      onPointerMove={over}
      onPointerUp={up}
      onPointerCancel={onLeave}
      onBlur={() => {
        if (isMoving && grabbed.current === undefined) onLeave();
      }}
      onKeyDown={key}
    >
      <span className="hidden">
        {title}, {status},
      </span>
      <bdi>{time}</bdi> <PatientName id={visit.patient_id} />
    </button>
  );
}

const STEPS: Record<string, { days: number } | { minutes: number }> = {
  ArrowUp: { minutes: -1 },
  ArrowDown: { minutes: 1 },
  ArrowLeft: { days: -1 },
  ArrowRight: { days: 1 },
};
