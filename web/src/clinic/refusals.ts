import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { refusalText } from "../app/refusals";

/** What only staff can be refused: patients do not load it. */
const SAID: Record<string, MessageDescriptor> = {
  clinic_retired: msg`The clinic is retired: reactivate it first.`,
};

/** What to tell staff of a refusal, by its code. */
export function staffRefusal(code: string | undefined): MessageDescriptor {
  return SAID[code ?? ""] ?? refusalText(code);
}
