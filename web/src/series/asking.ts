/** What series are asked for, and the words for what dates are. */
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import type { Schemas } from "../app/api";
import { localOf, sayDay } from "../app/time";

export type Series = Schemas["SeriesAnswer"];
export type SeriesVisit = Schemas["SeriesVisitAnswer"];
export type Result = Schemas["SeriesResultAnswer"];
export type PreviewDate = Schemas["SeriesDateAnswer"];
export type Rule = Schemas["SeriesRuleBody"];

export const DATE_STATE: Record<PreviewDate["state"], MessageDescriptor> = {
  free: msg`free`,
  taken: msg`taken`,
  closed: msg`not offered then`,
  beyond_horizon: msg`later than can be booked now: it is booked for you as soon as it can be`,
};

export const VISIT_STATE: Record<SeriesVisit["state"], MessageDescriptor> = {
  waiting: msg`waits until it can be booked`,
  placed: msg`booked`,
  failed: msg`could not be booked`,
  dropped: msg`given up`,
};

export const STATUS: Record<NonNullable<SeriesVisit["status"]>, MessageDescriptor> = {
  booked: msg`booked`,
  arrived: msg`arrived`,
  fulfilled: msg`took place`,
  noshow: msg`missed`,
  cancelled: msg`cancelled`,
};

/** "Tue 1 Dec 2026, 09:00" on the clinic's clock. */
export function sayVisit(start: string, zone: string): string {
  const { date, time } = localOf(start, zone);
  return `${sayDay(date, { weekday: "short", day: "numeric", month: "short", year: "numeric" })}, ${time}`;
}

/** What a person picked for each date: another start, or null to leave it out. */
export type Picks = ReadonlyMap<number, string | null>;

/** The starts to book: of dates that cannot be had, those that were picked. */
export function chosenStarts(dates: readonly PreviewDate[], picks: Picks): string[] {
  const found = dates.flatMap((one) => {
    const picked = picks.get(one.number);
    if (picked !== undefined) return picked === null ? [] : [picked];
    return one.state === "free" || one.state === "beyond_horizon" ? [one.start] : [];
  });
  return [...new Set(found)].sort();
}
