/** What the pages of the waiting list read, and how its values are put into words. */
import { plural, t } from "@lingui/core/macro";
import { i18n } from "@lingui/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { answered, api, type Provider, type Schemas } from "../app/api";
import { useContextOfSession } from "../app/shell";
import { HERE, say, sayDay, sayStart, today } from "../app/time";
import { useLive } from "../live/hooks";
import type { LiveSocket } from "../live/socket";
import { useOffered } from "./offered";

export type Entry = Schemas["OwnWaitingAnswer"];
export type Offer = Schemas["OfferAnswer"];
export type Wishes = Pick<Entry, "visit_type" | "days" | "opens" | "closes" | "last_day" | "notice">;

export const DAY_MINUTES = 1_440;
/** Declined offers at which an entry is paused. */
export const DECLINES_MAX = 3;

/** Whether the person who is here can wait for a time; undefined without a sign-in. */
export function useCanWait(): boolean | undefined {
  const role = useContextOfSession()?.role;
  return role === undefined ? undefined : role === "patient" || role === "guardian";
}

/** What the person waits for. */
export function useEntries() {
  return useQuery({
    queryKey: ["waiting", useContextOfSession()?.subject],
    enabled: useCanWait() === true,
    staleTime: 0,
    queryFn: async () => answered(await api.GET("/v1/waiting")).items,
  });
}

/** What is offered to the person now; read again with every change that `me` tells. */
export function useOffers() {
  const live = useLive();
  const offered = useOffered();
  return useQuery({
    queryKey: ["offers", useContextOfSession()?.subject, offered],
    enabled: useCanWait() === true,
    staleTime: 0,
    placeholderData: keepPreviousData,
    queryFn: async () => {
      const { items } = answered(await api.GET("/v1/waiting/offers"));
      if (items[0] !== undefined) setClock(live, items[0]);
      return items;
    },
  });
}

/** The countdown is by the server's clock: this device's may be wrong. */
function setClock(live: LiveSocket, { expires_at, expires_in_ms }: Offer): void {
  live.clockOffset = Date.parse(expires_at) - expires_in_ms - Date.now();
}

export function useProvider(id: string | undefined): Provider | undefined {
  return useQuery({
    queryKey: ["provider", id],
    enabled: id !== undefined,
    queryFn: async () =>
      answered(await api.GET("/v1/providers/{provider_id}", { params: { path: { provider_id: id! } } })),
  }).data;
}

export const zoneOf = (provider: Provider | undefined) =>
  provider?.locations[0]?.time_zone ?? provider?.clinic.time_zone ?? "UTC";

export function useClinicName(id: string | undefined): string | undefined {
  return useQuery({
    queryKey: ["clinic-known", id],
    enabled: id !== undefined,
    retry: false,
    staleTime: Infinity,
    queryFn: async () => answered(await api.GET("/v1/clinics/{clinic_id}", { params: { path: { clinic_id: id! } } })),
  }).data?.name;
}

/** A Monday: the first of the names of days. */
const MONDAY = Date.UTC(2024, 0, 1, 12);

export function dayName(day: number, weekday: "short" | "long" = "short"): string {
  return sayDay(new Date(MONDAY + (day - 1) * 86_400_000).toISOString().slice(0, 10), { weekday });
}

/** Minutes of the day as a clock shows them. */
export function wall(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}

/** "2 hours", "1 day": an amount of time in its largest unit. */
export function amount(minutes: number): string {
  if (minutes < 60) return t`${plural(minutes, { one: "# minute", other: "# minutes" })}`;
  const hours = Math.floor(minutes / 60);
  if (minutes < DAY_MINUTES) return t`${plural(hours, { one: "# hour", other: "# hours" })}`;
  const days = Math.floor(minutes / DAY_MINUTES);
  return t`${plural(days, { one: "# day", other: "# days" })}`;
}

/** What is wished, in short parts. */
export function wishesOf({ days, opens, closes, last_day, notice }: Wishes): string[] {
  const names = days.map((one) => dayName(one));
  const list = new Intl.ListFormat(i18n.locale, { type: "unit", style: "short" }).format(names);
  const from = wall(opens);
  const to = wall(closes);
  const length = amount(notice);
  const last = last_day && sayDay(last_day, { day: "numeric", month: "short", year: "numeric" });
  return [
    days.length === 0 || days.length === 7 ? t`any day` : list,
    opens === 0 && closes === DAY_MINUTES ? t`any time of day` : `${from}–${to}`,
    ...(notice > 0 ? [t`told at least ${length} before`] : []),
    ...(last ? [t`until ${last}`] : []),
  ];
}

/** "29:41", "1:05:00": what is left of an offer. */
export function clockOf(seconds: number): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3_600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** An instant on the reader's own clock, with the day unless it is today. */
export function sayEnd(instant: string, now: number): string {
  const isToday = today(HERE, Date.parse(instant)) === today(HERE, now);
  return isToday ? say(instant, HERE, { timeStyle: "short" }) : sayStart(instant, HERE, now);
}
