import { expect, test } from "vitest";
import type { Frame } from "../live/frames";
import { emptyView, reduce } from "../live/reduce";
import { takeFrames } from "./offered";

const OFFER = { hold_id: "hld_1.o1", status: "held", offer: true };
const OWN = { hold_id: "hld_1.h2", status: "held" };
const SNAPSHOT: Frame = { t: "snapshot", topic: "me", epoch: 1, version: 1, unread: 0, bookings: [] };

test("offers come and go with the frames of me", () => {
  const view = emptyView();
  const hear = (frame: Frame) => {
    reduce(view, frame);
    return takeFrames(view.inbox, view.holds);
  };
  expect(hear(SNAPSHOT)).toBe(false);
  expect(hear({ t: "delta", epoch: 1, from: 1, version: 2, holds: [OFFER] })).toBe(true);
  expect(hear({ t: "delta", epoch: 1, from: 2, version: 3, holds: [OWN] })).toBe(false);
  expect(hear({ t: "delta", epoch: 1, from: 3, version: 4, bookings: [] })).toBe(false);
  const over = { hold_id: OFFER.hold_id, status: "released" };
  expect(hear({ t: "delta", epoch: 1, from: 4, version: 5, holds: [over] })).toBe(true);
});

test("a snapshot says all: an offer that is not in it has ended", () => {
  const view = emptyView();
  const hear = (frame: Frame) => {
    reduce(view, frame);
    return takeFrames(view.inbox, view.holds);
  };
  expect(hear({ ...SNAPSHOT, version: 6, holds: [OFFER] })).toBe(true);
  expect(hear({ ...SNAPSHOT, version: 9 })).toBe(true);
  expect(hear({ ...SNAPSHOT, epoch: 2, version: 1, holds: [OFFER] })).toBe(true);
});

test("who leaves takes the offers along", () => {
  expect(takeFrames({ ...SNAPSHOT, holds: [OFFER] }, undefined)).toBe(false);
  expect(takeFrames(undefined, undefined)).toBe(true);
});
