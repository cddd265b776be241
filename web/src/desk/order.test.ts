import { expect, test } from "vitest";
import { nearestPlace, placesOf, type Queued } from "./order";

const at = (entry_id: string, day: number, priority = 0): Queued => ({
  entry_id,
  priority,
  since: `2026-11-0${day}T09:00:00Z`,
});
const ROWS = [at("a", 1), at("b", 2), at("c", 3), at("d", 4)];

test("without other priorities a patient stays, or goes to an end of the list", () => {
  expect([...placesOf(ROWS, ROWS[2]!)]).toEqual([[1, 1], [3, 0], [4, -1]]);
});

test("a place between two priorities can be had", () => {
  const rows = [at("d", 4, 2), at("a", 1), at("b", 2), at("c", 3)];
  expect([...placesOf(rows, rows[3]!)]).toEqual([[1, 2], [2, 1], [4, 0]]);
});

test("up and down lead to the next place that can be had, or nowhere", () => {
  expect(nearestPlace(ROWS, ROWS[2]!, 2)).toBe(1);
  expect(nearestPlace(ROWS, ROWS[2]!, 4)).toBe(4);
  expect(nearestPlace(ROWS, ROWS[0]!, 0)).toBe(undefined);
  expect(nearestPlace(ROWS, ROWS[0]!, 3)).toBe(4);
});

test("what a priority gives is the order of the server", () => {
  for (const entry of ROWS) {
    for (const [place, priority] of placesOf(ROWS, entry)) {
      const moved = ROWS.map((one) => (one === entry ? { ...one, priority } : one));
      const order = moved.sort((a, b) => b.priority - a.priority || a.since.localeCompare(b.since));
      expect(order.findIndex((one) => one.entry_id === entry.entry_id) + 1).toBe(place);
    }
  }
});
