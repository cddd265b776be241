import { describe, expect, it } from "vitest";
import { chosenStarts, type PreviewDate } from "./asking";

const date = (number: number, state: PreviewDate["state"], start: string): PreviewDate => ({
  number,
  state,
  start,
  alternatives: [],
});
const DATES = [
  date(1, "free", "2026-12-01T09:00:00Z"),
  date(2, "taken", "2026-12-08T09:00:00Z"),
  date(3, "beyond_horizon", "2026-12-15T09:00:00Z"),
];

describe("the starts of a series", () => {
  it("leave out a date that cannot be had and for which nothing was picked", () => {
    expect(chosenStarts(DATES, new Map())).toEqual([DATES[0]!.start, DATES[2]!.start]);
  });

  it("are what was picked instead, in order and each once", () => {
    const picks = new Map([[2, "2026-12-16T09:30:00Z"], [1, null]] as const);
    expect(chosenStarts(DATES, picks)).toEqual([DATES[2]!.start, "2026-12-16T09:30:00Z"]);
    expect(chosenStarts(DATES, new Map([[2, DATES[0]!.start]]))).toEqual([DATES[0]!.start, DATES[2]!.start]);
  });
});
