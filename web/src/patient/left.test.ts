import { expect, test } from "vitest";
import { follow, type Left } from "./left";

const NINE = "2026-12-01T09:00:00Z";
const TEN = "2026-12-01T10:00:00Z";

test("seats follow snapshots and deltas, and a full session has none", () => {
  let left: Left = new Map([["2026-11-01T09:00:00Z", 1]]);
  left = follow(left, { t: "snapshot", slots: [[NINE, "free"], [TEN, "free"]], seats_left: { [NINE]: 3, [TEN]: 3 } });
  expect([...left]).toEqual([[NINE, 3], [TEN, 3]]);
  left = follow(left, { t: "delta", slots: [[NINE, "free"]], seats_left: { [NINE]: 2 } });
  expect(left.get(NINE)).toBe(2);
  left = follow(left, { t: "delta", slots: [[NINE, "booked"]] });
  expect([...left]).toEqual([[TEN, 3]]);
  left = follow(left, { t: "delta", slots: [[TEN, "gone"]] });
  expect(left.size).toBe(0);
});

test("other frames say nothing of seats", () => {
  const left: Left = new Map([[NINE, 3]]);
  expect(follow(left, { t: "heartbeat" })).toBe(left);
});
