/** What the numbers of a report are called and how they are written. */
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { sayDay } from "../app/time";
import type { By, Measure, ReportGroup } from "./asking";

export const MEASURE_NAMES: Record<Measure, MessageDescriptor> = {
  no_shows: msg`Missed visits`,
  visits: msg`Visits`,
  lead_time: msg`Days between booking and visit`,
  cancellations: msg`Cancellations`,
  utilisation: msg`Use of open hours`,
  waiting: msg`Offers of the waiting list`,
  response_time: msg`Time until visits hit by leave were settled`,
};

export const BY_NAMES: Record<By, MessageDescriptor> = {
  all: msg`all together`,
  day: msg`day`,
  week: msg`week`,
  month: msg`month`,
  weekday: msg`day of the week`,
  hour: msg`hour of the day`,
  lead: msg`days from booking to visit`,
  lead_fine: msg`days from booking to visit, in finer steps`,
  provider: msg`doctor`,
  place: msg`clinic`,
  visit_type: msg`kind of visit`,
  age: msg`age`,
  reminded: msg`reminder`,
};

const KEY_NAMES: Record<string, MessageDescriptor> = {
  all: msg`All`,
  unknown: msg`not known`,
  yes: msg`reminded`,
  no: msg`not reminded`,
};

const LEAD_NAMES: Record<string, MessageDescriptor> = {
  "0": msg`same day`,
  "1": msg`1 day`,
  "31+": msg`31 days and more`,
  "61+": msg`61 days and more`,
};

type Translate = (words: MessageDescriptor) => string;

export function nameOfLead(key: string, translate: Translate): string {
  const known = LEAD_NAMES[key];
  if (known !== undefined) return translate(known);
  const range = key.replace("-", "–");
  return translate(msg`${range} days`);
}

/** An ISO weekday in words; 2024-01-01 was a Monday. */
export const sayWeekday = (key: string) => sayDay(`2024-01-0${key}`, { weekday: "long" });

/** What a row is called. */
export function nameOfRow(by: By, row: { key: string; label: string }, translate: Translate): string {
  if (row.label !== "") return row.label;
  const { key } = row;
  switch (by) {
    case "day":
      return sayDay(key, { dateStyle: "medium" });
    case "month":
      return sayDay(`${key}-01`, { month: "long", year: "numeric" });
    case "weekday":
      return sayWeekday(key);
    case "hour":
      return `${key}:00`;
    case "lead":
    case "lead_fine":
      return nameOfLead(key, translate);
    default: {
      const known = KEY_NAMES[key];
      return known === undefined ? key : translate(known);
    }
  }
}

type Value = number | null | undefined;
export type Unit = "count" | "percent" | "days" | "minutes";
export interface Column {
  name: MessageDescriptor;
  unit: Unit;
  of: (group: ReportGroup) => Value;
}

const column = (name: MessageDescriptor, unit: Unit, of: Column["of"]): Column => ({ name, unit, of });

/** The columns of each measure; the first is what its chart shows. */
export const COLUMNS: Record<Measure, readonly Column[]> = {
  no_shows: [
    column(msg`missed`, "percent", (it) => it.missed_percent),
    column(msg`visits with an outcome`, "count", (it) => it.seen + it.missed),
    column(msg`of these missed`, "count", (it) => it.missed),
  ],
  visits: [
    column(msg`visits`, "count", (it) => it.visits),
    column(msg`seen`, "count", (it) => it.seen),
    column(msg`missed`, "count", (it) => it.missed),
    column(msg`without outcome`, "count", (it) => it.without_outcome),
    column(msg`ahead`, "count", (it) => it.ahead),
    column(msg`cancelled`, "count", (it) => it.cancelled),
  ],
  lead_time: [
    column(msg`middle value`, "days", (it) => it.leads?.median),
    column(msg`average`, "days", (it) => it.leads?.mean),
    column(msg`nine of ten within`, "days", (it) => it.leads?.p90),
    column(msg`longest`, "days", (it) => it.leads?.longest),
    column(msg`visits`, "count", (it) => it.visits),
  ],
  cancellations: [
    column(msg`cancelled`, "percent", (it) => it.cancelled_percent),
    column(msg`cancelled`, "count", (it) => it.cancelled),
    column(msg`by the patient`, "count", (it) => it.cancelled_by_patient),
    column(msg`by the clinic`, "count", (it) => it.cancelled_by_clinic),
    column(msg`within the last 24 hours`, "count", (it) => it.cancelled_late),
    column(msg`booked`, "count", (it) => it.visits + it.cancelled),
  ],
  utilisation: [
    column(msg`used`, "percent", (it) => it.used_percent),
    column(msg`booked time`, "minutes", (it) => it.minutes),
    column(msg`open time`, "minutes", (it) => it.open_minutes),
    column(msg`visits`, "count", (it) => it.visits),
  ],
  waiting: [
    column(msg`offers`, "count", (it) => it.offers?.made),
    column(msg`accepted`, "count", (it) => it.offers?.accepted),
    column(msg`declined`, "count", (it) => it.offers?.declined),
    column(msg`not answered in time`, "count", (it) => it.offers?.over),
    column(msg`still open`, "count", (it) => it.offers?.outstanding),
  ],
  response_time: [
    column(msg`middle value`, "minutes", (it) => it.median_answer_minutes),
    column(msg`settled`, "count", (it) => it.answered),
    column(msg`not settled yet`, "count", (it) => it.unanswered),
  ],
};

/** A value as people read it; nothing is a dash. */
export function write(value: Value, unit: Unit, locale: string, translate: Translate): string {
  if (value === null || value === undefined) return "–";
  const number = (digits: number, more: Intl.NumberFormatOptions = {}) =>
    new Intl.NumberFormat(locale, { maximumFractionDigits: digits, ...more }).format(unit === "percent" ? value / 100 : value);
  switch (unit) {
    case "percent":
      return number(1, { style: "percent", minimumFractionDigits: 1 });
    case "minutes": {
      const hours = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }).format(value / 60);
      return translate(msg`${hours} h`);
    }
    default:
      return number(1);
  }
}
