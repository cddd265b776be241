import { describe, expect, it, test } from "vitest";
import type { Booking } from "../live/frames";
import { inOrder, placed, stepped, together } from "./lanes";

const visit = (id: string, start: string, end: string): Booking => ({
  booking_id: id,
  status: "booked",
  provider_id: "prv_1",
  visit_type: "consult",
  start: `2026-12-01T${start}:00Z`,
  end: `2026-12-01T${end}:00Z`,
});

test("visits that overlap share the width, those after them have all of it", () => {
  const found = placed(
    [visit("c", "11:00", "11:30"), visit("a", "09:00", "10:00"), visit("b", "09:30", "10:30")],
    "UTC",
  );
  expect(found.map((one) => [one.visit.booking_id, one.from, one.minutes, one.lane, one.lanes])).toEqual([
    ["a", 540, 60, 0, 2],
    ["b", 570, 60, 1, 2],
    ["c", 660, 30, 0, 1],
  ]);
});

test("a lane is used again as soon as it is empty", () => {
  const found = placed(
    [visit("a", "09:00", "09:30"), visit("b", "09:00", "10:00"), visit("c", "09:30", "10:00")],
    "UTC",
  );
  expect(found.map((one) => one.lane)).toEqual([0, 1, 0]);
});

const TARGETS = ["2026-12-01T09:00:00Z", "2026-12-01T10:00:00Z", "2026-12-03T09:15:00Z", "2026-12-03T16:00:00Z"];

test.each([
  ["the next free start", "2026-12-01T09:00:00Z", { minutes: 1 }, "2026-12-01T10:00:00Z"],
  ["the one before", "2026-12-01T10:00:00Z", { minutes: -1 }, "2026-12-01T09:00:00Z"],
  ["nothing after the last of a day", "2026-12-01T10:00:00Z", { minutes: 1 }, undefined],
  ["the nearest of the next day with one", "2026-12-01T10:00:00Z", { days: 1 }, "2026-12-03T09:15:00Z"],
  ["the nearest of the day before", "2026-12-03T16:00:00Z", { days: -1 }, "2026-12-01T10:00:00Z"],
] as const)("an arrow leads to %s", (_name, at, step, expected) => {
  expect(stepped(TARGETS, at, step, "UTC")).toBe(expected);
});

describe("visits that share their time", () => {
  const at = (id: string, more: Partial<Booking> = {}) => ({ ...visit(id, "09:00", "09:30"), ...more });

  it("stand by seat after those that have the time to themselves, and overbooked ones last", () => {
    const found = [at("over", { lane: 1 }), at("second", { seat: 2 }), at("plain"), at("first", { seat: 1 })];
    expect(found.sort(inOrder).map((one) => one.booking_id)).toEqual(["plain", "first", "second", "over"]);
  });

  it("have one place for a session, which counts its patients", () => {
    const rows = [at("b", { seat: 2 }), at("a", { seat: 1 }), at("gone", { seat: 3, status: "cancelled" }), at("x")];
    const { shown, patients } = together(rows);
    expect(shown.map((one) => one.booking_id)).toEqual(["x", "a", "gone"]);
    expect([...patients]).toEqual([["a", 2]]);
  });
});
