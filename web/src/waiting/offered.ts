/**
 * Which holds the waiting list offers to the person who is here, as frames of `me` tell. Needs no
 * sentences: what shows an offer is loaded when there is one.
 */
import { useCallback, useSyncExternalStore } from "react";
import type { Frame } from "../live/frames";
import { useLive } from "../live/hooks";
import type { LiveSocket } from "../live/socket";

const known = new Set<string>();
let joined = "";
let whole: Frame | undefined;
let last: Frame | undefined;

/** Take what `me` has by now; true if that changed something. */
export function takeFrames(inbox: Frame | undefined, holds: Frame | undefined): boolean {
  if (inbox === undefined || (inbox.t === "snapshot" && inbox !== whole)) {
    // A snapshot, perhaps of another person: what is not in it has ended.
    known.clear();
    whole = inbox;
    last = undefined;
    take(inbox);
  }
  if (holds !== undefined && holds !== last && !isBefore(holds, whole)) take(holds);
  last = holds;
  const before = joined;
  joined = [...known].sort().join(" ");
  return joined !== before;
}

const isBefore = (one: Frame, other: Frame | undefined) =>
  other !== undefined && (one.epoch !== other.epoch || (one.version ?? 0) < (other.version ?? 0));

function take(frame: Frame | undefined): void {
  for (const { hold_id, status, offer } of frame?.holds ?? []) {
    if (status === "held" && offer === true) known.add(hold_id);
    else known.delete(hold_id);
  }
}

function watchOffers(live: LiveSocket, tell: () => void): () => void {
  const read = () => {
    const view = live.view("me");
    if (takeFrames(view?.inbox, view?.holds)) tell();
  };
  const end = live.watch("me", read);
  read();
  return end;
}

/** Ids of the holds that are offered, with spaces between; empty if there is none. */
export function useOffered(): string {
  const live = useLive();
  const subscribe = useCallback((tell: () => void) => watchOffers(live, tell), [live]);
  return useSyncExternalStore(subscribe, () => joined);
}
