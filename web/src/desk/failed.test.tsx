// @vitest-environment jsdom
/** The desk's dialogs after a request that failed: they work again, and nothing is done twice. */
import { expect, test, vi } from "vitest";
import type { Provider } from "../app/api";
import type { Booking } from "../live/frames";
import { LOST, ok, refused, staged } from "../testing/stage";

const PROVIDER = "prv_1";
const OF = `/v1/providers/${PROVIDER}`;
vi.mock(import("@tanstack/react-router"), async (original) => ({
  ...(await original()),
  getRouteApi: (() => ({ useParams: () => ({ provider: PROVIDER }), useSearch: () => ({}) })) as never,
}));
vi.mock(import("../series/ways"), () => ({ RepeatWay: () => null }) as never);

const { BookDialog } = await import("./book");
const { OverbookButton } = await import("./overbook");
const { Sharing } = await import("./session");
const { LeaveQueue } = await import("./queue");
const { LeavePage } = await import("./leave");
const { ListPage } = await import("./list");

const stage = staged({ role: "doctor", subject: PROVIDER });

const NINE = "2026-12-01T09:00:00Z";
const provider = {
  provider_id: PROVIDER,
  name: "Dr One",
  clinic: { clinic_id: "cln_1", name: "Clinic", time_zone: "Europe/London" },
  locations: [{ time_zone: "Europe/London" }],
  visit_types: [{ visit_type: "consult", title: "Consultation" }],
} as unknown as Provider;
const booking = (number: number, more: Partial<Booking> = {}) =>
  ({
    ...{ booking_id: `bkg_1.${number}`, provider_id: PROVIDER, patient_id: `pat_${number}`, status: "booked" },
    ...{ visit_type: "consult", start: NINE, end: "2026-12-01T09:30:00Z" },
    ...more,
  }) as Booking;

/** Do it twice, once into a broken line: the button works, and both requests have one key. */
async function twice(press: () => Promise<void>, what: string): Promise<void> {
  await press();
  expect(stage.alert()).toContain("did not work");
  await press();
  const [first, again, ...more] = stage.of(what);
  expect(more).toEqual([]);
  expect(again).toEqual(first);
  expect(first?.key).toMatch(/^[0-9a-f-]{36}$/);
}

async function findPatient(): Promise<void> {
  stage.answers["POST /v1/clinics/cln_1/patients/search"] = [
    ok({ items: [{ patient_id: "pat_7", given_name: "Ana", family_name: "Berg", birth_date: "" }] }),
  ];
  await stage.fill("family", "Berg");
  await stage.fill("born", "1980-02-29");
  await stage.click("Find");
  await stage.click("Ana Berg");
}

test("a session is cancelled for all once", async () => {
  const rows = [booking(1, { seat: 1 }), booking(2, { seat: 2 })];
  await stage.show(<Sharing visit={rows[0]!} rows={rows} title="Class" zone="Europe/London" />);
  const what = `POST ${OF}/sessions/cancel`;
  stage.answers[what] = [LOST, ok({ bookings: [] })];
  await stage.click("Seat 1");
  await twice(() => stage.click("Cancel for all patients"), what);
  expect(stage.hasDialog()).toBe(false);
});

test("a visit is overbooked once", async () => {
  stage.answers[`GET ${OF}/availability`] = [ok({ lanes: 2 })];
  stage.answers[`GET ${OF}/slots`] = [ok({ slots: [{ start: NINE, state: "booked" }] })];
  stage.answers["POST /v1/bookings"] = [LOST, ok({}, 201)];
  await stage.show(<OverbookButton provider={provider} date="2026-12-01" />);
  await stage.click("Overbook …");
  expect(stage.find("There may be", "p").textContent).toContain("2 visits at one time");
  await findPatient();
  await stage.click("09:00");
  await stage.fill("over-reason", "acute pain");
  await twice(() => stage.click("Overbook"), "POST /v1/bookings");
  expect(stage.hasDialog()).toBe(false);
});

test("where one visit is all that may be at one time, overbooking is not offered", async () => {
  for (const lanes of [1, null]) {
    stage.answers[`GET ${OF}/availability`] = [ok({ lanes })];
    await stage.show(<OverbookButton provider={provider} date="2026-12-01" />);
    expect(document.querySelector("button")).toBeNull();
    await stage.end();
    stage.begin({ role: "doctor", subject: PROVIDER });
  }
});

test("a visit is booked for a patient once", async () => {
  stage.views.set(`slots/${PROVIDER}/consult/2026-W49`, {
    ...{ version: 1, starts: [NINE], slots: new Map([[NINE, "free"]]) },
  });
  stage.answers["POST /v1/bookings"] = [LOST, ok({}, 201)];
  let isOpen = true;
  await stage.show(<BookDialog provider={provider} date="2026-12-01" onClose={() => (isOpen = false)} />);
  await findPatient();
  await stage.click("09:00");
  await twice(() => stage.click("Book"), "POST /v1/bookings");
  expect(isOpen).toBe(false);
});

const time = { provider_id: "prv_2", provider: "Dr Two", start: NINE, time_zone: "Europe/London", same_clinic: true };
const queue = (state: string, told = "sent") => ({
  ...{ time_off_id: "off_1.a", start: NINE, end: "2026-12-02T00:00:00Z", withdrawn_at: null, total: 1 },
  ...{ resolved: 0, closed: false, overdue: 0, time_zone: "Europe/London" },
  visits: [
    {
      ...{ booking_id: "bkg_1.1", patient_id: "pat_1", patient_name: "Ana Berg", start: NINE, state, told },
      ...{ answer_by: NINE, overdue: false, equivalents: [time], outcome: null, resolved_by: null, moved_to: null },
    },
  ],
});

test("a time is chosen for a patient once, and the list stays while the line is broken", async () => {
  const list = `GET ${OF}/leaves/off_1.a/visits`;
  stage.answers[list] = [ok(queue("told")), LOST];
  const what = `POST ${OF}/leaves/off_1.a/visits/bkg_1.1/choose`;
  stage.answers[what] = [LOST, ok(queue("chosen"))];
  await stage.show(<LeaveQueue provider={provider} leave="off_1.a" />);
  await twice(() => stage.click("Choose for the patient"), what);
  expect(document.body.textContent).toContain("is being carried out");
});

test("a queue that cannot be read says so, and not that there is none", async () => {
  stage.answers[`GET ${OF}/leaves/off_1.a/visits`] = [LOST, refused("time_off_not_found", 404)];
  await stage.show(<LeaveQueue provider={provider} leave="off_1.a" />);
  expect(stage.alert()).not.toContain("not here any more");
  await stage.click("Try again");
  expect(stage.alert()).toContain("not here any more");
});

test("a message that is being written is no reason to call", async () => {
  stage.answers[`GET ${OF}/leaves/off_1.a/visits`] = [ok(queue("proposed", "pending"))];
  await stage.show(<LeaveQueue provider={provider} leave="off_1.a" />);
  expect(stage.find("Message", ".chip").textContent).toBe("Message is being sent");
});

test("leave is taken once, and what is not given back says so", async () => {
  const what = `POST ${OF}/time-off`;
  stage.answers[`GET ${OF}`] = [ok(provider)];
  stage.answers[`GET ${OF}/time-off`] = [ok({ items: [{ time_off_id: "off_1.a", start: NINE, end: NINE, reason: "" }] })];
  stage.answers[`GET ${OF}/leaves`] = [ok({ items: [] })];
  stage.answers[what] = [ok({ affected: [] }), LOST, ok({ affected: [] }, 201)];
  await stage.show(<LeavePage />);
  await stage.fill("start", "2027-01-04");
  await stage.click("See what it affects");
  await stage.click("Take the leave");
  expect(stage.alert()).toContain("did not work");
  await stage.click("Take the leave");
  const [, first, again] = stage.of(what);
  expect(again).toEqual(first);
  stage.answers[`DELETE ${OF}/time-off/off_1.a`] = [LOST, ok({})];
  await stage.click("Give the time back");
  expect(stage.alert()).toContain("did not work");
  await stage.click("Give the time back");
  expect(stage.alert()).toBe("");
});

const row = (number: number) => ({
  ...{ entry_id: `wte_${number}`, rank: number, name: `Patient ${number}`, patient_id: `pat_${number}` },
  ...{ paused: false, scope: "provider", subject: PROVIDER, booking_id: null, priority: 0, since: NINE },
  ...{ days: [], opens: 0, closes: 1440, last_day: null, notice: 120, visit_type: "", offers: [], moves: [] },
});

test("a patient is moved in the waiting list, or taken off it, once", async () => {
  stage.answers[`GET ${OF}`] = [ok(provider)];
  stage.answers[`GET ${OF}/waiting`] = [ok({ items: [row(1), row(2)], others: 0 })];
  const move = `PUT ${OF}/waiting/wte_1/priority`;
  stage.answers[move] = [LOST, ok()];
  await stage.show(<ListPage />);
  await stage.press('[id="down-wte_1"]');
  await stage.fill("reason", "by telephone");
  await twice(() => stage.click("Move"), move);
  expect(stage.hasDialog()).toBe(false);
  const off = `POST ${OF}/waiting/wte_2/remove`;
  stage.answers[off] = [LOST, ok()];
  await stage.click("Take off …");
  await stage.fill("reason", "by telephone");
  await twice(() => stage.click("Take off the list"), off);
  expect(stage.hasDialog()).toBe(false);
});
