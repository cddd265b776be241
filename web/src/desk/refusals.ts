import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { refusalText } from "../app/refusals";

/** What only the desk can be refused: patients do not load it. */
const SAID: Record<string, MessageDescriptor> = {
  patient_known: msg`The clinic has a patient of this name and birth already. Find them first.`,
  number_taken: msg`Another patient of the clinic has this number.`,
};

/** What to tell of a patient who was not found or added. */
export function patientRefusal(code: string | undefined): MessageDescriptor {
  return SAID[code ?? ""] ?? refusalText(code);
}

/** What to tell staff whose visit was not booked or moved; `takes`: it needs rooms or devices, too. */
export function visitRefusal(code: string | undefined, takes: boolean): MessageDescriptor {
  return takes && code === "slot_unavailable"
    ? msg`This time is taken, or no room or device that the visit needs is free then. Choose another time.`
    : refusalText(code);
}
