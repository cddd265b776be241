/**
 * What a person does with the hold of this page: more time, typing a reason, giving it back,
 * booking. One key per intention, so that a double click or a broken line has one effect.
 */
import { newKey } from "../app/api";
import type { Answer, LiveSocket } from "../live/socket";
import { keep, keepAnswered, kept } from "./holding";

/** Remember what is typed as the reason for the visit, as long as the hold. */
export function noteReason(reason: string): void {
  if (kept !== undefined) keep({ ...kept, reason });
}

export async function extendHold(live: LiveSocket): Promise<Answer | undefined> {
  if (kept === undefined) return undefined;
  const answer = await live.command("extend", { hold_id: kept.hold.hold_id }, newKey());
  // It may have been given back, or typed into, while the answer was on its way.
  if (answer.status === 200 && kept !== undefined) keepAnswered(live, answer, kept);
  return answer;
}

export async function giveBack(live: LiveSocket): Promise<void> {
  const before = kept;
  keep(undefined);
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
  if (answer.status < 300) keep(undefined);
  return answer;
}
