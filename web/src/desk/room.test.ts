import { describe, expect, it } from "vitest";
import type { Booking } from "../live/frames";
import { canMiss, roomOf } from "./room";

const ZONE = "Europe/Berlin";
const visit = (booking_id: string, start: string, status: Booking["status"]): Booking =>
  ({ booking_id, start, end: start, status, patient_id: "pat_1", provider_id: "prv_1", visit_type: "consult" }) as Booking;
const ids = (rows: Booking[]) => rows.map((one) => one.booking_id);

describe("the waiting room", () => {
  it("groups the visits of the clinic's day, whatever the day is elsewhere", () => {
    const now = Date.parse("2026-12-01T23:30:00Z"); // 00:30 of the second in Berlin
    const room = roomOf(
      [
        visit("yesterday", "2026-12-01T22:45:00Z", "booked"),
        visit("late", "2026-12-01T23:05:00Z", "booked"),
        visit("due", "2026-12-02T08:00:00Z", "booked"),
        visit("here", "2026-12-02T08:15:00Z", "arrived"),
        visit("done", "2026-12-02T08:30:00Z", "fulfilled"),
        visit("missed", "2026-12-02T08:45:00Z", "noshow"),
        visit("gone", "2026-12-02T09:00:00Z", "cancelled"),
        visit("tomorrow", "2026-12-02T23:00:00Z", "booked"),
      ],
      ZONE,
      now,
    );
    expect([ids(room.here), ids(room.due), ids(room.late), ids(room.over)]).toEqual([
      ["here"],
      ["due"],
      ["late"],
      ["done", "missed"],
    ]);
  });

  it("calls a patient late five minutes after the start, not before", () => {
    const one = [visit("one", "2026-12-01T09:00:00Z", "booked")];
    expect(roomOf(one, ZONE, Date.parse("2026-12-01T09:05:00Z")).due).toHaveLength(1);
    expect(roomOf(one, ZONE, Date.parse("2026-12-01T09:05:01Z")).late).toHaveLength(1);
  });

  it("offers a no-show from the start on, as calendars take it", () => {
    const one = visit("one", "2026-12-01T09:00:00Z", "booked");
    const start = Date.parse(one.start);
    expect(canMiss(one, start - 1, false)).toBe(false);
    expect(canMiss(one, start, false)).toBe(true);
    expect(canMiss(one, start - 3_600_000, true)).toBe(true);
    expect(canMiss({ ...one, status: "arrived" }, start, true)).toBe(false);
  });
});
