/** Who is where in the waiting room, by the clock of the clinic. */
import { localOf, today } from "../app/time";
import type { Booking } from "../live/frames";

/** A visit whose patient has not arrived is late this long after its start. */
const LATE_MS = 5 * 60_000;

export interface Room {
  here: Booking[];
  due: Booking[];
  late: Booking[];
  /** Visits of today that took place, or whose patients did not come: what was a mistake is undone here. */
  over: Booking[];
}

/** Today's visits in their groups, each in the order of its starts. */
export function roomOf(rows: readonly Booking[], zone: string, now: number): Room {
  const room: Room = { here: [], due: [], late: [], over: [] };
  const day = today(zone, now);
  for (const one of rows) {
    if (localOf(one.start, zone).date !== day) continue;
    if (one.status === "arrived") room.here.push(one);
    else if (one.status === "fulfilled" || one.status === "noshow") room.over.push(one);
    else if (one.status === "booked") {
      (Date.parse(one.start) + LATE_MS < now ? room.late : room.due).push(one);
    }
  }
  return room;
}

/** Whether calendars take a no-show by now: from the visit's start on, or earlier on a site for training. */
export function canMiss(visit: Booking, now: number, isEarly: boolean): boolean {
  return visit.status === "booked" && (isEarly || Date.parse(visit.start) <= now);
}
