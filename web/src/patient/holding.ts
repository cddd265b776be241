/**
 * The hold of this page: placed over the live socket, kept over a reload in the tab's own storage.
 * Whether it has ended is decided by the server's clock: this device's may be wrong by more than a
 * hold lasts. What a person does with a hold is in confirming.ts, which is loaded after the paint.
 */
import { useCallback, useSyncExternalStore } from "react";
import { newKey, type Hold } from "../app/api";
import type { Answer, LiveSocket } from "../live/socket";

const KEPT = "slotcast.hold";

export interface Kept {
  hold: Hold;
  bookKey: string;
  /** The server's clock minus this device's when the hold was answered, in milliseconds. */
  offset: number;
  /** What was typed as the reason for the visit, so that a reload keeps it. */
  reason?: string;
}

export let kept: Kept | undefined = restored();
const watchers = new Set<() => void>();

function restored(): Kept | undefined {
  const text = sessionStorage.getItem(KEPT);
  if (text === null) return undefined;
  const found = JSON.parse(text) as Kept;
  if (Date.parse(found.hold.expires_at) > Date.now() + found.offset) return found;
  sessionStorage.removeItem(KEPT);
  return undefined;
}

/** The server's clock minus this device's, as far as a hold of before the reload tells. */
export const keptOffset = kept?.offset ?? 0;

/** Keep another hold, or another state of it, or none. */
export function keep(next: Kept | undefined): void {
  kept = next;
  if (next === undefined) sessionStorage.removeItem(KEPT);
  else sessionStorage.setItem(KEPT, JSON.stringify(next));
  watchers.forEach((tell) => tell());
}

/** Keep the hold of an answer, which also tells the server's time. */
export function keepAnswered(live: LiveSocket, { body }: Answer, before: Omit<Kept, "hold" | "offset">): void {
  const hold = body as Hold;
  const offset = Date.parse(hold.expires_at) - hold.expires_in_ms - Date.now();
  live.clockOffset = offset;
  keep({ ...before, hold, offset });
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
  if (answer.status === 201) keepAnswered(live, answer, { bookKey: newKey() });
  return answer;
}

export function forgetHold(): void {
  keep(undefined);
}
