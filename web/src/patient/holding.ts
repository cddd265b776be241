/**
 * The hold of this page: placed over the live socket, kept over a reload in the tab's own
 * storage, extended, given back, booked. One key per intention, so that a double click or a
 * broken line has one effect.
 */
import { useCallback, useSyncExternalStore } from "react";
import { newKey, type Hold } from "../app/api";
import type { Answer, LiveSocket } from "../live/socket";

const KEPT = "slotcast.hold";

export interface Kept {
  hold: Hold;
  bookKey: string;
}

let kept: Kept | undefined = restored();
const watchers = new Set<() => void>();

function restored(): Kept | undefined {
  const text = sessionStorage.getItem(KEPT);
  if (text === null) return undefined;
  const found = JSON.parse(text) as Kept;
  return Date.parse(found.hold.expires_at) > Date.now() ? found : undefined;
}

function set(next: Kept | undefined): void {
  kept = next;
  if (next === undefined) sessionStorage.removeItem(KEPT);
  else sessionStorage.setItem(KEPT, JSON.stringify(next));
  watchers.forEach((tell) => tell());
}

export function useKept(): Kept | undefined {
  return useSyncExternalStore(
    useCallback((tell: () => void) => {
      watchers.add(tell);
      return () => watchers.delete(tell);
    }, []),
    () => kept,
  );
}

export async function placeHold(
  live: LiveSocket,
  provider_id: string,
  visit_type: string,
  start: string,
  moving: string | undefined,
): Promise<Answer> {
  const fields = { provider_id, visit_type, start, ...(moving === undefined ? {} : { moving }) };
  const answer = await live.command("hold", fields, newKey());
  if (answer.status === 201) set({ hold: answer.body as Hold, bookKey: newKey() });
  return answer;
}

export async function extendHold(live: LiveSocket): Promise<Answer | undefined> {
  if (kept === undefined) return undefined;
  const answer = await live.command("extend", { hold_id: kept.hold.hold_id }, newKey());
  if (answer.status === 200) set({ ...kept, hold: answer.body as Hold });
  return answer;
}

export async function giveBack(live: LiveSocket): Promise<void> {
  const before = kept;
  set(undefined);
  if (before !== undefined) {
    await live.command("release", { hold_id: before.hold.hold_id }, newKey());
  }
}

/** Book the held time, or move a visit to it. The same key every time: it books once. */
export async function book(
  live: LiveSocket,
  reason: string,
  moving: string | undefined,
): Promise<Answer> {
  const { hold, bookKey } = kept!;
  const answer =
    moving === undefined
      ? await live.command(
          "book",
          { hold_id: hold.hold_id, ...(reason === "" ? {} : { reason }) },
          bookKey,
        )
      : await live.command("reschedule", { booking_id: moving, hold_id: hold.hold_id }, bookKey);
  if (answer.status < 300) set(undefined);
  return answer;
}

export function forgetHold(): void {
  set(undefined);
}

export function isHolding(): boolean {
  return kept !== undefined;
}
