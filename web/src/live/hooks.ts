import { createContext, useCallback, useContext, useEffect, useState, useSyncExternalStore } from "react";
import type { Booking, SlotState } from "./frames";
import type { Link, LiveSocket } from "./socket";

export const Live = createContext<LiveSocket | undefined>(undefined);

export function useLive(): LiveSocket {
  const live = useContext(Live);
  if (live === undefined) throw new Error("useLive needs the Live provider");
  return live;
}

export function useLink(): Link {
  const live = useLive();
  return useSyncExternalStore(
    useCallback((tell) => live.watchLink(tell), [live]),
    () => live.link,
  );
}

/** The starts of a topic in order; renders again only when a start comes or goes. */
export function useStarts(topic: string): readonly string[] | undefined {
  const live = useLive();
  const subscribe = useCallback((tell: () => void) => live.watch(topic, tell), [live, topic]);
  return useSyncExternalStore(subscribe, () => {
    const view = live.view(topic);
    return view === undefined || view.version < 0 ? undefined : view.starts;
  });
}

export function useSlot(topic: string, start: string): SlotState | "unknown" | undefined {
  const live = useLive();
  const subscribe = useCallback(
    (tell: () => void) => live.watchSlot(topic, start, tell),
    [live, topic, start],
  );
  return useSyncExternalStore(subscribe, () => live.slot(topic, start));
}

/** How many slots of some topics are free now; undefined until all are known. */
export function useFreeCount(topics: readonly string[]): number | undefined {
  const live = useLive();
  const joined = topics.join(" ");
  const subscribe = useCallback(
    (tell: () => void) => {
      const ends = joined.split(" ").map((topic) => live.watch(topic, tell));
      return () => ends.forEach((end) => end());
    },
    [live, joined],
  );
  return useSyncExternalStore(subscribe, () => {
    let free = 0;
    for (const topic of joined.split(" ")) {
      const view = live.view(topic);
      if (view === undefined || view.version < 0) return undefined;
      for (const state of view.slots.values()) if (state === "free") free += 1;
    }
    return free;
  });
}

/**
 * The earliest free starts of a topic, with spaces between; undefined until they are known or
 * while there is no topic, empty if there is none.
 */
export function useSoonest(topic: string | undefined, most: number): string | undefined {
  const live = useLive();
  const subscribe = useCallback(
    (tell: () => void) => (topic === undefined ? () => undefined : live.watch(topic, tell)),
    [live, topic],
  );
  return useSyncExternalStore(subscribe, () => {
    const view = topic === undefined ? undefined : live.view(topic);
    if (view === undefined || view.version < 0) return undefined;
    const found: string[] = [];
    for (const start of view.starts) {
      if (view.slots.get(start) === "free" && found.push(start) === most) break;
    }
    return found.join(" ");
  });
}

/** The free starts of a topic, in order. */
export function useFreeStarts(topic: string): readonly string[] {
  const found = useSoonest(topic, Infinity);
  return found ? found.split(" ") : [];
}

/** Bookings of a private topic, by start; undefined until they are known. */
export function useBookings(topic: string): readonly Booking[] | undefined {
  const live = useLive();
  const [rows, setRows] = useState<readonly Booking[]>();
  useEffect(() => {
    const read = () => {
      const view = live.view(topic);
      if (view === undefined || view.version < 0) return setRows(undefined);
      setRows([...view.bookings.values()].sort((a, b) => a.start.localeCompare(b.start)));
    };
    const end = live.watch(topic, read);
    read();
    return end;
  }, [live, topic]);
  return rows;
}

/** The server's time, ticking once a second while `on`. */
export function useNow(on = true): number {
  const live = useLive();
  const [now, setNow] = useState(() => Date.now() + live.clockOffset);
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => setNow(Date.now() + live.clockOffset), 250);
    return () => clearInterval(timer);
  }, [live, on]);
  return now;
}
