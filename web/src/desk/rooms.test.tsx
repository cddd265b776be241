// @vitest-environment jsdom
/** Rooms and equipment on the screens of staff: their day, their hours, what visits take of them. */
import { expect, test, vi } from "vitest";
import type { Booking } from "../live/frames";
import { LOST, ok, refused, staged } from "../testing/stage";

const ROOM = "prv_9";
const DATE = "2026-12-01";
const place = { view: "day" };
vi.mock(import("@tanstack/react-router"), async (original) => ({
  ...(await original()),
  getRouteApi: (() => ({
    useParams: () => ({ room: ROOM, view: place.view }),
    useSearch: () => ({ date: DATE }),
  })) as never,
}));


const { RoomPage } = await import("./roompage");
const { Needs, useNeedsProblem } = await import("./needs");
const { RoomsPage } = await import("../clinic/rooms");
const { Where } = await import("../resources/where");

const stage = staged({ role: "clinic_admin", subject: "cln_1" });

const room = { resource_id: ROOM, kind: "room", name: "Room 2", tags: ["ultrasound"], retired: false };
const hours = (weekly: object) => ({ locations: [{ location_id: "loc_1", time_zone: "UTC", weekly, exceptions: {} }], visit_types: [] });
const doctor = { provider_id: "prv_1", name: "Dr One", visit_types: [{ visit_type: "scan", title: "Scan" }] };
const part = (number: number, more: Partial<Booking> = {}) =>
  ({
    ...{ booking_id: `bkg_9.${number}`, provider_id: ROOM, patient_id: "", status: "booked", visit_type: "0+30+0" },
    ...{ start: `${DATE}T09:00:00Z`, end: `${DATE}T09:30:00Z`, visit: `bkg_1.${number}`, visit_provider_id: "prv_1" },
    ...more,
  }) as Booking;
const visit = (number: number, more: Partial<Booking> = {}) =>
  ({ ...part(number), ...{ booking_id: `bkg_1.${number}`, provider_id: "prv_1", patient_id: "pat_1", visit_type: "scan" }, ...more }) as Booking;
const view = (...rows: Booking[]) => ({ version: 1, bookings: new Map(rows.map((one) => [one.booking_id, one])) });

function known(): void {
  stage.answers["GET /v1/clinics/cln_1/resources"] = [ok({ items: [room] })];
  stage.answers["GET /v1/clinics/cln_1"] = [ok({ clinic_id: "cln_1", name: "Clinic", time_zone: "UTC" })];
  stage.answers["GET /v1/providers/prv_1"] = [ok(doctor)];
  stage.answers["GET /v1/patients/pat_1"] = [ok({ given_name: "Nora", family_name: "Quist" })];
  stage.answers[`GET /v1/providers/${ROOM}/availability`] = [ok(hours({ tuesday: [{ opens: "08:00", closes: "18:00" }] }))];
}

test("the day of a room says which visit has it, as the visit's own calendar knows it", async () => {
  place.view = "day";
  known();
  stage.views.set(`schedule/${ROOM}`, view(part(1), part(2, { start: "2026-12-02T09:00:00Z" })));
  stage.views.set("schedule/prv_1", view(visit(1, { status: "arrived" }), visit(3)));
  await stage.show(<RoomPage />);
  const rows = [...document.querySelectorAll("li.visit")];
  expect(rows.map((one) => one.getAttribute("data-status"))).toEqual(["arrived"]);
  expect(rows[0]?.textContent).toContain("Nora Quist Scan");
  expect(rows[0]?.querySelector("a")?.getAttribute("href")).toBe(`/desk/day/prv_1?date=${DATE}`);
  expect(document.body.textContent).toContain("Open 08:00–18:00");
});

test("a day that may not be read says so", async () => {
  place.view = "day";
  known();
  stage.refusals.set(`schedule/${ROOM}`, "forbidden");
  await stage.show(<RoomPage />);
  expect(stage.alert()).toContain("reception and administration");
});

test("another clinic's room is not there", async () => {
  known();
  stage.answers["GET /v1/clinics/cln_1/resources"] = [ok({ items: [] })];
  await stage.show(<RoomPage />);
  expect(stage.alert()).toContain("no such room");
});

test("a room without hours is proposed some, which are saved once they were looked at", async () => {
  place.view = "hours";
  known();
  const path = `/v1/providers/${ROOM}/availability`;
  stage.answers[`GET ${path}`] = [ok({ locations: [], visit_types: [] })];
  stage.answers[`PUT ${path}`] = [ok({ affected: [part(1)] }), ok({ affected: [] })];
  await stage.show(<RoomPage />);
  expect(document.body.textContent).toContain("These are a proposal");
  await stage.click("See what it affects");
  expect(document.body.textContent).toContain("Dr One");
  await stage.click("Save the hours");
  const [dry, saved] = stage.of(`PUT ${path}`);
  expect([dry?.query, saved?.query]).toEqual(["dry_run=true", ""]);
  expect((saved?.body as { locations: { weekly: object }[] }).locations[0]?.weekly).toMatchObject({
    monday: [{ opens: "08:00", closes: "18:00" }],
  });
});

function Problem({ kind }: { kind: object }) {
  return <p>{useNeedsProblem()({ title: "Scan", ...kind } as never) ?? "none"}</p>;
}

test.each([
  ["none", { needs: [{ kind: "room" }], capacity: 1 }],
  ["come together", { needs: [{ kind: "room" }], capacity: 2 }],
  ["from 1 on", { needs: [{ kind: "room", count: 0 }] }],
  ["at most 6", { needs: [{ kind: "room", count: 4 }, { kind: "equipment", count: 3 }] }],
  ["ask for the same", { needs: [{ kind: "room" }, { kind: "room", tag: "" }] }],
])("what a visit takes is checked before it is sent: %s", async (words, kind) => {
  await stage.show(<Problem kind={kind} />);
  expect(document.body.textContent).toContain(words);
});

test("what a visit takes is told, and that the clinic has too few", async () => {
  const changed: object[] = [];
  const kind = { visit_type: "scan", title: "Scan", needs: [{ kind: "room", tag: "ultrasound", count: 2 }] };
  await stage.show(<Needs kind={kind as never} index={0} resources={[room as never]} onChange={(next) => changed.push(next)} />);
  expect(document.querySelector(".needs .chip")?.textContent).toContain("has only 1");
  await stage.click("Add a room or a device");
  expect(changed).toEqual([[kind.needs[0], { kind: "equipment", tag: "", count: 1 }]]);
});

test("a patient reads where the visit is, and with what", async () => {
  const item = (kind: string, name: string) => ({ resource_id: name, kind, name });
  stage.answers["GET /v1/bookings/bkg_1.1/resources"] = [ok({ items: [item("room", "Room 2"), item("equipment", "Ultrasound 1")] })];
  await stage.show(<Where visit={visit(1)} />);
  expect(document.querySelector(".where")?.textContent).toBe("Where: Room 2 · With: Ultrasound 1");
});

test("a room is added once, and refusals are told in words", async () => {
  known();
  const path = "POST /v1/clinics/cln_1/resources";
  stage.answers[path] = [LOST, refused("clinic_retired")];
  await stage.show(<RoomsPage />);
  await stage.click("Add a room or a device");
  await stage.click("Add, then set the hours");
  expect(stage.alert()).toContain("Write a name");
  await stage.fill("room-name", "Room 3");
  await stage.fill("room-tags", "children, ultrasound, children");
  for (const words of ["did not work", "clinic is retired"]) {
    await stage.click("Add, then set the hours");
    expect(stage.alert()).toContain(words);
  }
  const [first, again] = stage.of(path);
  expect(again).toEqual(first);
  expect(first?.body).toEqual({ kind: "room", name: "Room 3", tags: ["children", "ultrasound"] });
});
