import { expect, test } from "vitest";
import { addDays, isoWeek, localOf, mondayOf } from "./time";

test.each([
  ["2026-12-01", "2026-W49"],
  ["2026-01-01", "2026-W01"],
  ["2027-01-03", "2026-W53"],
  ["2027-01-04", "2027-W01"],
  ["2024-12-30", "2025-W01"],
])("%s is in week %s, as topics name it", (date, week) => {
  expect(isoWeek(date)).toBe(week);
});

test("weeks begin on Monday, over the ends of months and years", () => {
  expect(mondayOf("2026-12-06")).toBe("2026-11-30");
  expect(mondayOf("2027-01-01")).toBe("2026-12-28");
  expect(addDays("2026-12-31", 1)).toBe("2027-01-01");
});

test("an instant is shown on the clinic's clock, on both sides of a change", () => {
  expect(localOf("2026-10-25T00:30:00Z", "Europe/London")).toEqual({
    date: "2026-10-25",
    time: "01:30",
    hour: 1,
  });
  expect(localOf("2026-10-25T01:30:00Z", "Europe/London").time).toBe("01:30");
  expect(localOf("2026-12-01T21:30:00Z", "Australia/Lord_Howe")).toMatchObject({
    date: "2026-12-02",
    time: "08:30",
  });
});
