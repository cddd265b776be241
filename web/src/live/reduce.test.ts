import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Frame } from "./frames";
import { emptyView, positionOf, reduce } from "./reduce";

interface Vector {
  frames: Frame[];
  steps: string[];
  position: [number, number] | null;
  slots: Record<string, string>;
  order?: string[];
  members?: Record<string, string | null>;
}

// The Python client reads the same files: tests/contracts/test_live_vectors.py.
const FOLDER = join(import.meta.dirname, "../../../tests/samples/live_vectors");

describe("the same frames give the same states as in the Python client", () => {
  test.each(readdirSync(FOLDER))("%s", (name) => {
    const vector = JSON.parse(readFileSync(join(FOLDER, name), "utf8")) as Vector;
    const view = emptyView();
    const steps = vector.frames.map((frame) => reduce(view, frame).kind);
    expect(steps).toEqual(vector.steps);
    expect(positionOf(view)).toEqual(vector.position);
    expect(Object.fromEntries(view.slots)).toEqual(vector.slots);
    expect(view.starts).toEqual(Object.keys(vector.slots).sort());
    const members = [...view.members].map(([id, one]) => [id, one.next_free]);
    expect(Object.fromEntries(members)).toEqual(vector.members ?? {});
    expect(view.list?.order ?? []).toEqual(vector.order ?? []);
  });
});

test("starts keep their identity while only states change", () => {
  const view = emptyView();
  const slots: Frame["slots"] = [["2026-12-01T09:00:00Z", "free"]];
  reduce(view, { t: "snapshot", epoch: 1, version: 1, slots });
  const before = view.starts;
  const step = reduce(view, {
    t: "delta",
    epoch: 1,
    from: 1,
    version: 2,
    slots: [["2026-12-01T09:00:00Z", "held"]],
  });
  expect(step).toEqual({ kind: "applied", changed: ["2026-12-01T09:00:00Z"], shape: false });
  expect(view.starts).toBe(before);
});

test("a topic keeps the last frame that spoke of the inbox", () => {
  const view = emptyView();
  reduce(view, { t: "snapshot", epoch: 1, version: 1, unread: 1, notices: [] });
  reduce(view, { t: "delta", epoch: 1, from: 1, version: 2, bookings: [] });
  expect(view.inbox?.unread).toBe(1);
  reduce(view, { t: "delta", epoch: 1, from: 2, version: 3, unread: 2, notices: [] });
  reduce(view, { t: "delta", epoch: 1, from: 1, version: 2, unread: 7, notices: [] });
  expect(view.inbox?.unread).toBe(2);
});
