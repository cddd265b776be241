// @vitest-environment jsdom
import { beforeAll, expect, test } from "vitest";
import { i18n, type MessageDescriptor } from "@lingui/core";
import { addressOf, askedOf, bysOf, paramsOf } from "./asking";
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
