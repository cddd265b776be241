import { expect, test } from "vitest";
import type { Provider } from "../app/api";
import type { Booking } from "../live/frames";
import { mayTake, whereOf } from "./ways";

const kind = (visit_type: string, ...resource_kinds: ("room" | "equipment")[]) => ({ visit_type, resource_kinds });
const provider = { visit_types: [kind("consult"), kind("scan", "room")] } as unknown as Provider;
const visit = (visit_type: string, more: Partial<Booking> = {}): Booking => ({
  booking_id: "bkg_1.a",
  status: "booked",
  provider_id: "prv_1",
  visit_type,
  start: "2026-12-01T09:00:00Z",
  end: "2026-12-01T09:30:00Z",
  ...more,
});

test("plain visits ask for no rooms", () => {
  expect(mayTake(visit("consult"), provider)).toBe(false);
  expect(mayTake(visit("scan"), undefined)).toBe(false);
});

test("visits are asked for their rooms whose kind takes some, took some, or is not offered any more", () => {
  expect(mayTake(visit("scan"), provider)).toBe(true);
  expect(mayTake(visit("consult", { resources: ["prv_9"] }), provider)).toBe(true);
  expect(mayTake(visit("gone"), provider)).toBe(true);
});

test("another time, or other rooms, are asked for again", () => {
  const names = [visit("scan"), visit("scan", { start: "2026-12-01T10:00:00Z" }), visit("scan", { resources: ["prv_9"] })];
  expect(new Set(names.map((one) => JSON.stringify(whereOf(one)))).size).toBe(3);
});
