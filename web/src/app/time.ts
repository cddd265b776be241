/** Instants as a clinic's clock shows them. Formatters are made once per zone: the first costs 40 ms. */
import { i18n } from "@lingui/core";
import { t } from "@lingui/core/macro";

export interface Local {
  /** YYYY-MM-DD */
  date: string;
  /** HH:MM */
  time: string;
  hour: number;
}

const parts = new Map<string, Intl.DateTimeFormat>();
const shown = new Map<string, Intl.DateTimeFormat>();

/** An instant on the wall clock of a zone. */
export function localOf(instant: string | number, zone: string): Local {
  let format = parts.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("sv-SE", {
      timeZone: zone,
      dateStyle: "short",
      timeStyle: "short",
    });
    parts.set(zone, format);
  }
  const [date = "", time = ""] = format.format(new Date(instant)).split(" ");
  return { date, time, hour: Number(time.slice(0, 2)) };
}

/** The reader's own region of a language: en-GB writes dates unlike en-US. */
function regionOf(language: string): string {
  return navigator.languages.find((one) => one.startsWith(language)) ?? language;
}

/** A date or an instant in the reader's language. */
export function say(
  value: string | number,
  zone: string,
  options: Intl.DateTimeFormatOptions,
): string {
  const key = `${i18n.locale} ${zone} ${JSON.stringify(options)}`;
  let format = shown.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat(regionOf(i18n.locale), { timeZone: zone, ...options });
    shown.set(key, format);
  }
  return format.format(new Date(value));
}

export function sayDay(date: string, options: Intl.DateTimeFormatOptions): string {
  return say(`${date}T12:00:00Z`, "UTC", options);
}

/** "Today, 13:00", "Tomorrow, 09:00", "Thu 3 Dec, 10:00". */
export function sayStart(start: string, zone: string, now = Date.now()): string {
  const { date, time } = localOf(start, zone);
  const first = today(zone, now);
  if (date === first) return t`Today, ${time}`;
  if (date === addDays(first, 1)) return t`Tomorrow, ${time}`;
  return `${sayDay(date, { weekday: "short", day: "numeric", month: "short" })}, ${time}`;
}

/** Whether visits are told on the clinic's clock alone, or on the reader's as well. */
export type ClockChoice = "clinic" | "both";
const CLOCK = "slotcast.clock";

export function clock(): ClockChoice {
  return localStorage.getItem(CLOCK) === "clinic" ? "clinic" : "both";
}

export function setClock(choice: ClockChoice): void {
  localStorage.setItem(CLOCK, choice);
}

export function addDays(date: string, days: number): string {
  const moved = new Date(`${date}T12:00:00Z`);
  moved.setUTCDate(moved.getUTCDate() + days);
  return moved.toISOString().slice(0, 10);
}

/** The Monday of a date's week. */
export function mondayOf(date: string): string {
  const day = new Date(`${date}T12:00:00Z`).getUTCDay();
  return addDays(date, -((day + 6) % 7));
}

/** The ISO week of a date, as topics name it: 2026-W49. */
export function isoWeek(date: string): string {
  const thursday = addDays(mondayOf(date), 3);
  const year = thursday.slice(0, 4);
  const first = Date.parse(`${year}-01-01T12:00:00Z`);
  const days = Math.round((Date.parse(`${thursday}T12:00:00Z`) - first) / 86_400_000);
  return `${year}-W${String(Math.floor(days / 7) + 1).padStart(2, "0")}`;
}

export function today(zone: string, now = Date.now()): string {
  return localOf(now, zone).date;
}

export const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** "Nairobi" of Africa/Nairobi. */
export function cityOf(zone: string): string {
  return (zone.split("/").pop() ?? zone).replaceAll("_", " ");
}
