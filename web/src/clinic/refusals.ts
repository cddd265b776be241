import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { refusalText } from "../app/refusals";

/** What only staff can be refused: patients do not load it. */
const SAID: Record<string, MessageDescriptor> = {
  licence_taken: msg`Another account is registered with this licence. Find out whose licence it is before you approve.`,
  already_reviewed: msg`This was reviewed already, or is your own: another person must review it.`,
  clinic_retired: msg`The clinic is retired: reactivate it first.`,
};

/** What to tell staff of a refusal, by its code. */
export function staffRefusal(code: string | undefined): MessageDescriptor {
  return SAID[code ?? ""] ?? refusalText(code);
}
