/** Where visits stand in a day's column: minutes of the day, and lanes for those that overlap. */
import { localOf } from "../app/time";
import type { Booking } from "../live/frames";

export interface Placed {
  visit: Booking;
  date: string;
  /** Minutes since midnight on the clinic's clock. */
  from: number;
  minutes: number;
  lane: number;
  lanes: number;
}

export function minuteOf(instant: string, zone: string): number {
  const { time } = localOf(instant, zone);
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
}

/** By start; of one start visits that have the time to themselves first, then seats, then overbooked ones. */
export function inOrder(a: Booking, b: Booking): number {
  return a.start.localeCompare(b.start) || placeOf(a) - placeOf(b) || a.end.localeCompare(b.end);
}

/** Behind the last seat of any session. */
const OVERBOOKED = 1_000;
const placeOf = ({ seat, lane }: Booking) => seat ?? (lane === undefined ? 0 : OVERBOOKED + lane);

/** Visits without the further seats of each session, and how many patients the first stands for. */
export function together(visits: readonly Booking[]): { shown: Booking[]; patients: ReadonlyMap<string, number> } {
  const first = new Map<string, string>();
  const patients = new Map<string, number>();
  const shown = [...visits].sort(inOrder).filter((one) => {
    if (one.seat === undefined || one.status === "cancelled") return true;
    const session = `${one.start} ${one.visit_type}`;
    const known = first.get(session) ?? one.booking_id;
    first.set(session, known);
    patients.set(known, (patients.get(known) ?? 0) + 1);
    return known === one.booking_id;
  });
  return { shown, patients };
}

/** Place visits; those that overlap share the column's width. */
export function placed(visits: readonly Booking[], zone: string): Placed[] {
  const sorted = [...visits].sort(inOrder);
  const found: Placed[] = [];
  let group: Placed[] = [];
  let ends: number[] = [];
  let groupEnd = -Infinity;
  for (const visit of sorted) {
    const start = Date.parse(visit.start);
    const end = Date.parse(visit.end);
    if (start >= groupEnd) {
      for (const one of group) one.lanes = ends.length;
      group = [];
      ends = [];
    }
    let lane = ends.findIndex((one) => one <= start);
    if (lane < 0) lane = ends.length;
    ends[lane] = end;
    groupEnd = Math.max(groupEnd, end);
    const one: Placed = {
      visit,
      date: localOf(visit.start, zone).date,
      from: minuteOf(visit.start, zone),
      minutes: (end - start) / 60_000,
      lane,
      lanes: 1,
    };
    group.push(one);
    found.push(one);
  }
  for (const one of group) one.lanes = ends.length;
  return found;
}

/**
 * The target that a step of an arrow key leads to: the next or previous free start of the day
 * (`minutes` ±1), or the nearest in time on the next day that has one (`days` ±1).
 */
export function stepped(
  targets: readonly string[],
  at: string,
  step: { days: number } | { minutes: number },
  zone: string,
): string | undefined {
  const { date } = localOf(at, zone);
  if ("minutes" in step) {
    const later = step.minutes > 0;
    const sameDay = targets.filter((one) => localOf(one, zone).date === date);
    return later ? sameDay.find((one) => one > at) : sameDay.findLast((one) => one < at);
  }
  const dates = [...new Set(targets.map((one) => localOf(one, zone).date))];
  const next = step.days > 0 ? dates.find((one) => one > date) : dates.findLast((one) => one < date);
  if (next === undefined) return undefined;
  const wanted = minuteOf(at, zone);
  return targets
    .filter((one) => localOf(one, zone).date === next)
    .reduce((best, one) =>
      Math.abs(minuteOf(one, zone) - wanted) < Math.abs(minuteOf(best, zone) - wanted) ? one : best,
    );
}
