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
  second_factor_required: msg`This needs your second step. Add one in your settings if you have none.`,
  reauthentication_required: msg`This needs a fresh proof of who you are.`,
  version_behind: msg`This was changed meanwhile. Load it again, then change it.`,
  invalid_request: msg`Please check what you typed.`,
  hold_confirmed: msg`This time is booked already. You find it in your visits.`,
  feed_limit: msg`You have as many calendar addresses as are possible. Remove one first.`,
  data_restricted: msg`The patient restricted the use of their data. Only the patient can lift that.`,
  account_required: msg`Sign in with an account of your own for this.`,
  payload_too_large: msg`This is too long or too large. Shorten it and try again.`,
  application_decided: msg`This application was decided or withdrawn meanwhile.`,
  too_many_applications: msg`You have as many open applications as are possible. Withdraw one first.`,
  too_many_dependants: msg`You act for as many people as are possible here. A clinic can add more.`,
  last_admin: msg`There must stay an administrator. Give another account this role first.`,
  invitation_used: msg`This invitation was used, taken back or is for another address. Ask for a new one.`,
  role_exists: msg`This account has this role already.`,
  erasure_refused: msg`This person cannot be erased while visits are ahead. Cancel them first.`,
  password_refused: msg`This password cannot be used. Choose another.`,
  internal: msg`Something broke on our side. Nothing was lost. Try again in a moment.`,
  too_many_requests: msg`That was quick. Try again in a few seconds.`,
  unavailable: msg`Booking pauses for a moment. We try again by ourselves.`,
};

/** What to tell a person of a refusal, by its code. */
export function refusalText(code: string | undefined): MessageDescriptor {
  const said = SAID[code ?? ""];
  if (said !== undefined) return said;
  return code?.endsWith("not_found") ? msg`This is no longer here. Load the page again.` : msg`That did not work. Please try again.`;
}
