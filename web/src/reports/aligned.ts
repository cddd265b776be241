/** The columns of a chart: of times all of the period, each beside the same place of the compared one. */
import { addDays, isoWeek } from "../app/time";
import type { By, Report, ReportRow } from "./asking";

export interface Place {
  key: string;
  row: ReportRow | undefined;
  before: ReportRow | undefined;
}

const KEY_OF: Partial<Record<By, (date: string) => string>> = {
  day: (date) => date,
  week: isoWeek,
  month: (date) => date.slice(0, 7),
};

/** 1 is Monday. */
const weekdayOf = (date: string) => String(new Date(`${date}T12:00:00Z`).getUTCDay() || 7);

/** Of a time in which nothing was counted there is no row: it keeps its place. */
export function aligned(report: Report, weekdays: readonly string[]): Place[] {
  const keyOf = KEY_OF[report.by];
  const rows = byKey(report.rows);
  const earlier = byKey(report.compared?.rows ?? []);
  if (keyOf === undefined) return report.rows.map((row) => ({ key: row.key, row, before: earlier.get(row.key) }));
  const earlierKeys = report.compared === null ? [] : keys(report.compared, keyOf);
  const places = keys(report, keyOf).map((key, index) => ({ key, row: rows.get(key), before: earlier.get(earlierKeys[index] ?? "") }));
  if (report.by !== "day" || weekdays.length === 0) return places;
  return places.filter(({ key, row, before }) => weekdays.includes(weekdayOf(key)) || row !== undefined || before !== undefined);
}

const byKey = (rows: readonly ReportRow[]) => new Map(rows.map((row) => [row.key, row]));

function keys({ first, last }: { first: string; last: string }, keyOf: (date: string) => string): string[] {
  const found = new Set<string>();
  for (let date = first; date <= last; date = addDays(date, 1)) found.add(keyOf(date));
  return [...found];
}
