// @vitest-environment jsdom
/** The week of a calendar: one block for the seats of a session. */
import { expect, test } from "vitest";
import type { Booking } from "../live/frames";
import { ok, staged } from "../testing/stage";
import { WeekView } from "./week";

// Loaded by the page otherwise, later than the test looks.
await import("./session");

const stage = staged({ role: "doctor", subject: "prv_1" });

const visit = (number: number, more: Partial<Booking> = {}) =>
  ({
    ...{ booking_id: `bkg_1.${number}`, provider_id: "prv_1", patient_id: `pat_${number}`, status: "booked" },
    ...{ visit_type: "class", start: "2026-12-01T09:00:00Z", end: "2026-12-01T09:30:00Z" },
    ...more,
  }) as Booking;

test("a session is one block that opens its patients; a visit and a single seat can be moved", async () => {
  const later = { start: "2026-12-02T09:00:00Z", end: "2026-12-02T09:30:00Z" };
  const rows = [visit(4, { lane: 1 }), visit(1, { seat: 2 }), visit(2, { seat: 1 }), visit(3, { ...later, seat: 1 })];
  for (const number of [1, 2, 3, 4]) {
    stage.answers[`GET /v1/patients/pat_${number}`] = [ok({ given_name: "Patient", family_name: String(number) })];
  }
  const doing = {
    ...{ onAct: () => undefined, onMove: () => undefined, onPick: () => undefined },
    ...{ titles: new Map([["class", "Back class"]]), clinic: "cln_1", zone: "Europe/London" },
  };
  await stage.show(<WeekView rows={rows} monday="2026-11-30" fresh={new Map()} doing={doing} />);
  expect([...document.querySelectorAll(".block")].map((one) => one.className)).toEqual(["block group", "block", "block"]);
  await stage.click("Back class, 2 patients");
  const names = [...document.querySelectorAll("dialog li")].map((one) => one.textContent?.trim());
  expect(names).toEqual(["Patient 2", "Patient 1", "Patient 4 Overbooked"]);
});
