import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { useEffect, useRef, useState } from "react";
import { answered, api, newKey, type Provider } from "../app/api";
import { localOf, say } from "../app/time";
import type { Booking } from "../live/frames";
import { useLive } from "../live/hooks";

export type Act = "check-in" | "complete" | "no-show" | "undo";

/** Say what became of a visit. The refusal's code, undefined if it was done. */
export async function act(visit: Booking, what: Act, key = newKey()): Promise<string | undefined> {
  const { error } = await api.POST(`/v1/bookings/{booking_id}/${what}`, {
    params: { path: { booking_id: visit.booking_id }, header: { "Idempotency-Key": key } },
  });
  return error?.code;
}

/** Move a visit to another start. The refusal's code, undefined if it was done. */
export async function move(visit: Booking, start: string, key = newKey()): Promise<string | undefined> {
  const { error } = await api.POST("/v1/bookings/{booking_id}/reschedule", {
    params: { path: { booking_id: visit.booking_id }, header: { "Idempotency-Key": key } },
    body: { start },
  });
  return error?.code;
}

/** Starts to which a visit can be moved, between two dates, the last one included. Throws Refused. */
export async function targetsOf(visit: Booking, from: string, to: string): Promise<string[]> {
  const answer = await api.GET("/v1/providers/{provider_id}/slots", {
    params: {
      path: { provider_id: visit.provider_id },
      query: { visit_type: visit.visit_type, from, to, moving: visit.booking_id },
    },
  });
  return answered(answer).slots.filter((one) => one.state === "free").map((one) => one.start);
}

/** The rules of a calendar, and the tag by which they are changed. */
export const rulesQuery = (provider_id: string) => ({
  queryKey: ["rules", provider_id],
  queryFn: async () => {
    const answer = await api.GET("/v1/providers/{provider_id}/availability", { params: { path: { provider_id } } });
    return { rules: answered(answer), tag: answer.response.headers.get("etag") ?? "*" };
  },
});

const STATUS: Record<Booking["status"], MessageDescriptor> = {
  booked: msg`booked`,
  arrived: msg`here`,
  fulfilled: msg`done`,
  noshow: msg`did not come`,
  cancelled: msg`cancelled`,
};

export const statusName = (visit: Booking) => STATUS[visit.status];

export function zoneOf(provider: Provider): string {
  return provider.locations[0]?.time_zone ?? provider.clinic.time_zone;
}

/** A leave's time: whole days as days, hours as hours. */
export function spanOf(one: { start: string; end: string }, zone: string): string {
  const starts = localOf(one.start, zone);
  const ends = localOf(one.end, zone);
  const options = { day: "numeric", month: "short", year: "numeric" } as const;
  if (starts.time === "00:00" && ends.time === "00:00") {
    const last = say(Date.parse(one.end) - 1, zone, options);
    const first = say(one.start, zone, options);
    return first === last ? first : `${first} – ${last}`;
  }
  return `${say(one.start, zone, options)}, ${starts.time} – ${say(one.end, zone, options)}, ${ends.time}`;
}

/** The server's time, a new one every ten seconds: what a page that stays open all day needs. */
export function useMinutes(): number {
  const live = useLive();
  const [now, setNow] = useState(() => Date.now() + live.clockOffset);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() + live.clockOffset), 10_000);
    return () => clearInterval(timer);
  }, [live]);
  return now;
}

/** How long a change is marked. */
const FRESH_MS = 20_000;

export type Fresh = ReadonlyMap<string, "new" | "moved" | "changed">;

/** Ids of visits that came or changed while this page was open, for a while. */
export function useFresh(rows: readonly Booking[] | undefined): Fresh {
  const seen = useRef<Map<string, Booking>>(undefined);
  const [fresh, setFresh] = useState<Fresh>(new Map());
  const timers = useRef(new Set<number>());
  useEffect(() => {
    if (rows === undefined) return;
    const before = seen.current;
    seen.current = new Map(rows.map((one) => [one.booking_id, one]));
    if (before === undefined) return;
    const changed = new Map<string, "new" | "moved" | "changed">();
    for (const one of rows) {
      const old = before.get(one.booking_id);
      if (old === undefined) changed.set(one.booking_id, "new");
      else if (old.start !== one.start) changed.set(one.booking_id, "moved");
      else if (old.status !== one.status) changed.set(one.booking_id, "changed");
    }
    if (changed.size === 0) return;
    // What a frame changed is known only when it comes.
    // eslint-disable-next-line react-hooks/set-state-in-effect
    setFresh((old) => new Map([...old, ...changed]));
    const timer = window.setTimeout(() => {
      timers.current.delete(timer);
      setFresh((old) => new Map([...old].filter(([id]) => !changed.has(id))));
    }, FRESH_MS);
    timers.current.add(timer);
  }, [rows]);
  useEffect(() => {
    const all = timers.current;
    return () => all.forEach((timer) => clearTimeout(timer));
  }, []);
  return fresh;
}
