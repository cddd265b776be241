import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { refusalText } from "../app/refusals";

const SAID: Record<string, MessageDescriptor> = {
  waiting_limit: msg`You wait for as many things as is possible. Stop waiting for one of them first.`,
  forbidden: msg`Only patients can wait for a time.`,
};

/** Refusals of an answer to an offer: its end came first, or the visit that it was to replace has changed. */
const ANSWERED: Record<string, MessageDescriptor> = {
  hold_expired: msg`Your answer came a moment after the end: the time has gone to the next who waits. Nothing has changed for you, and you keep your place.`,
  hold_not_found: msg`This time is no longer kept for you: its end came, or it was answered elsewhere. Nothing has changed by this, and you keep your place.`,
  resource_unavailable: msg`This visit takes a room that is taken just now. The time is still kept for you: try again before its end, as one may become free.`,
  hold_confirmed: msg`You have taken this time already. You find it in your visits.`,
  booking_not_found: msg`The visit that was to be moved is no longer there. You can book this time as a new visit.`,
  wrong_status: msg`The visit that was to be moved was cancelled or has begun. You can book this time as a new visit.`,
  too_late: msg`Your old visit can no longer be moved here, as it is too near. Call the clinic, or book this time as a new visit.`,
};

/** Refusals after which the time can still be booked as a visit of its own. */
export const WITHOUT_OLD: ReadonlySet<string> = new Set(["booking_not_found", "wrong_status", "too_late"]);
/** Refusals that say that the offer is over. */
export const IS_OVER: ReadonlySet<string> = new Set(["hold_expired", "hold_not_found", "hold_confirmed"]);

export function waitingRefusal(code: string | undefined): MessageDescriptor {
  return SAID[code ?? ""] ?? refusalText(code);
}

export function answerRefusal(code: string | undefined): MessageDescriptor {
  if (code === "unreachable") {
    return msg`Your answer did not reach us. Try again as soon as you have a connection: twice has the same effect as once.`;
  }
  return ANSWERED[code ?? ""] ?? refusalText(code);
}
