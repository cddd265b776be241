import { expect, test } from "vitest";
import { calendarFile } from "./calendar";

const VISIT = {
  id: "bkg_1.a",
  start: "2026-12-01T09:00:00Z",
  end: "2026-12-01T09:30:00Z",
  title: "Consultation; Dr Søren O'Neil, Physiotherapy",
  place: "14 Harbour Lane, Bristol — عيادة الميناء، الطابق الثاني، بجانب المصعد الرئيسي",
};

test("a calendar file says when and where, in UTC, with what it must escape", () => {
  const text = calendarFile(VISIT, "2026-11-29T20:00:00.123Z");
  const unfolded = text.replaceAll("\r\n ", "");
  expect(unfolded).toContain("DTSTART:20261201T090000Z\r\n");
  expect(unfolded).toContain("DTSTAMP:20261129T200000Z\r\n");
  expect(unfolded).toContain("SUMMARY:Consultation\\; Dr Søren O'Neil\\, Physiotherapy\r\n");
  expect(unfolded).toContain(`LOCATION:${VISIT.place.replaceAll(",", "\\,")}\r\n`);
});

test("no line is longer than 75 octets", () => {
  const lines = calendarFile(VISIT, "2026-11-29T20:00:00Z").split("\r\n");
  for (const line of lines) expect(new TextEncoder().encode(line).length).toBeLessThanOrEqual(75);
});
