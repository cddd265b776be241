// @vitest-environment jsdom
/** One's own visits: a seat of a group visit is called one. */
import { expect, test, vi } from "vitest";
import type { Booking } from "../live/frames";
import { ok, staged } from "../testing/stage";

vi.mock(import("../i18n"), async (original) => ({ ...(await original()), enter: () => Promise.resolve() }));
vi.mock(import("../app/offline"), async (original) => ({
  ...(await original()),
  keptVisits: () => Promise.resolve(undefined),
  keepVisits: () => Promise.resolve(),
}));

const { Visits } = await import("./visits");

// Loaded by the page otherwise, later than the test looks.
await import("./seats");

const stage = staged({ role: "patient", subject: "pat_1" });

test("a seat of a group visit says that others take part", async () => {
  const visit = (number: number, more: Partial<Booking>) =>
    ({
      ...{ booking_id: `bkg_1.${number}`, provider_id: "prv_1", status: "booked", visit_type: "class" },
      ...{ start: "2099-12-01T09:00:00Z", end: "2099-12-01T09:30:00Z" },
      ...more,
    }) as Booking;
  const rows = [visit(1, {}), visit(2, { seat: 2 })];
  stage.views.set("me", { version: 1, bookings: new Map(rows.map((one) => [one.booking_id, one])) });
  stage.answers["GET /v1/providers/prv_1"] = [
    ok({ name: "Dr One", clinic: { name: "Clinic", time_zone: "Europe/London" }, locations: [], visit_types: [] }),
  ];
  await stage.show(<Visits />);
  const said = [...document.querySelectorAll("article")].map((one) => one.textContent?.includes("Group visit"));
  expect(said).toEqual([false, true]);
});
