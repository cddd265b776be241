import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";

const SAID: Record<string, MessageDescriptor> = {
  slot_unavailable: msg`Someone was a moment faster. Nothing is lost. Choose another time.`,
  slot_not_offered: msg`The clinic no longer offers this time.`,
  hold_limit: msg`You are keeping as many times as you may. Give one back to take another.`,
  booking_limit: msg`You have as many visits ahead as this clinic allows. Cancel one to book another.`,
  overlap: msg`You have another visit at this time.`,
  hold_expired: msg`We could not keep this time any longer. Choose it again, or another one.`,
  hold_not_found: msg`We could not keep this time any longer. Choose it again, or another one.`,
  too_early: msg`The time of this visit has not come yet.`,
  too_late: msg`This visit can no longer be changed here. Please call the clinic.`,
  wrong_status: msg`This is no longer possible for this visit.`,
  unauthenticated: msg`Please sign in first.`,
  forbidden: msg`You may not do this.`,
  patient_known: msg`The clinic has a patient of this name and birth already. Find them first.`,
  version_behind: msg`This was changed meanwhile. Load it again, then change it.`,
  invalid_request: msg`Please check what you typed.`,
  too_many_requests: msg`That was quick. Try again in a few seconds.`,
  unavailable: msg`Booking pauses for a moment. We try again by ourselves.`,
};

/** What to tell a person of a refusal, by its code. */
export function refusalText(code: string | undefined): MessageDescriptor {
  return SAID[code ?? ""] ?? msg`That did not work. Please try again.`;
}
