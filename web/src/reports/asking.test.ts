// @vitest-environment jsdom
import { beforeAll, expect, test } from "vitest";
import { i18n, type MessageDescriptor } from "@lingui/core";
import { aligned } from "./aligned";
import { addressOf, askedOf, bysOf, paramsOf, type Report } from "./asking";
import { roundUp } from "./chart";
import { COLUMNS, nameOfRow, write } from "./figures";

const TODAY = "2026-11-30";
const plain = (words: MessageDescriptor) => i18n._(words);

beforeAll(() => {
  i18n.loadAndActivate({ locale: "en", messages: {} });
});

test("an address without a question is the missed visits of four weeks by lead", () => {
  const asked = askedOf(new URLSearchParams(), TODAY);
  expect(asked).toMatchObject({ measure: "no_shows", by: "lead", first: "2026-11-02", last: "2026-11-29", compare: "nothing" });
});

test("a question survives its address, lists included", () => {
  const text =
    "measure=visits&by=hour&first=2026-01-01&last=2026-02-01&compare=year&providers=prv_1,prv_2&weekdays=1&lead_from=3&reminded=false";
  const asked = askedOf(new URLSearchParams(text), TODAY);
  expect(asked.providers).toEqual(["prv_1", "prv_2"]);
  expect(paramsOf(asked).getAll("providers")).toEqual(["prv_1", "prv_2"]);
  const address = new URL(addressOf(asked), "https://clinic.example");
  expect(askedOf(address.searchParams, TODAY)).toEqual(asked);
});

test("what an address may not say is not asked", () => {
  const asked = askedOf(new URLSearchParams("measure=waiting&by=hour&first=yesterday&compare=me"), TODAY);
  expect(asked).toMatchObject({ measure: "waiting", by: "week", first: "2026-11-02", compare: "nothing" });
  expect(bysOf("utilisation")).not.toContain("lead");
});

test("a filter that is not shown does not hold", () => {
  const hidden = "by=day&providers=prv_1&ages=65%2B&lead_from=3&lead_to=9&reminded=true";
  expect(askedOf(new URLSearchParams(`measure=visits&${hidden}`), TODAY)).toMatchObject({ ages: ["65+"], lead_from: "3", reminded: "true" });
  for (const measure of ["waiting", "utilisation", "response_time"]) {
    const asked = askedOf(new URLSearchParams(`measure=${measure}&${hidden}`), TODAY);
    expect(asked).toMatchObject({ providers: ["prv_1"], ages: [], lead_from: "", lead_to: "", reminded: "" });
  }
});

test("a day without visits keeps its place beside the compared period", () => {
  const rows = (...keys: string[]) => keys.map((key) => ({ key, label: "" }));
  const report = (by: string, more: object) => ({ by, compared: null, ...more }) as unknown as Report;
  const days = report("day", {
    first: "2026-11-05",
    last: "2026-11-08",
    rows: rows("2026-11-05", "2026-11-08"),
    compared: { first: "2026-11-01", last: "2026-11-04", rows: rows("2026-11-02", "2026-11-04") },
  });
  const shown = (it: Report, weekdays: string[] = []) => aligned(it, weekdays).map(({ key, row, before }) => [key, row?.key, before?.key]);
  expect(shown(days)).toEqual([
    ["2026-11-05", "2026-11-05", undefined],
    ["2026-11-06", undefined, "2026-11-02"],
    ["2026-11-07", undefined, undefined],
    ["2026-11-08", "2026-11-08", "2026-11-04"],
  ]);
  expect(shown(days, ["4"]).map(([key]) => key)).toEqual(["2026-11-05", "2026-11-06", "2026-11-08"]);
  const weeks = report("week", {
    first: "2026-12-21",
    last: "2027-01-10",
    rows: rows("2026-W52", "2027-W01"),
    compared: { first: "2025-12-22", last: "2026-01-11", rows: rows("2026-W01", "2026-W02") },
  });
  expect(shown(weeks)).toEqual([
    ["2026-W52", "2026-W52", undefined],
    ["2026-W53", undefined, "2026-W01"],
    ["2027-W01", "2027-W01", "2026-W02"],
  ]);
  const places = report("place", { rows: rows("cln_2", "cln_1"), compared: { rows: rows("cln_1") } });
  expect(shown(places)).toEqual([
    ["cln_2", "cln_2", undefined],
    ["cln_1", "cln_1", "cln_1"],
  ]);
});

test("rows have names of people's language", () => {
  const row = (key: string, label = "") => ({ key, label });
  expect(nameOfRow("weekday", row("1"), plain)).toBe("Monday");
  expect(nameOfRow("weekday", row("7"), plain)).toBe("Sunday");
  expect(nameOfRow("hour", row("09"), plain)).toBe("09:00");
  expect(nameOfRow("lead", row("7-30"), plain)).toContain("7–30");
  expect(nameOfRow("provider", row("prv_1", "Dr A"), plain)).toBe("Dr A");
  expect(nameOfRow("provider", row("prv_2"), plain)).toBe("prv_2");
});

test("what is not known is no zero", () => {
  expect(write(null, "percent", "en", plain)).toBe("–");
  expect(write(0, "percent", "en", plain)).toBe("0.0%");
  expect(write(27.8424, "percent", "en", plain)).toBe("27.8%");
  expect(Object.values(COLUMNS).every((columns) => columns.length > 0)).toBe(true);
});

test("the scale ends at a round number", () => {
  expect([0, 0.3, 7, 33.9, 100, 101].map(roundUp)).toEqual([1, 0.5, 10, 50, 100, 200]);
});
