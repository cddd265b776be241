import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { refusalText } from "../app/refusals";

const SAID: Record<string, MessageDescriptor> = {
  not_reviewable: msg`A visit can be reviewed once the clinic has noted that it took place, and for 90 days after it.`,
  review_exists: msg`This visit has a review already. Take it back to write another.`,
  review_not_found: msg`This review is no longer there.`,
};

export function reviewRefusal(code: string | undefined): MessageDescriptor {
  return SAID[code ?? ""] ?? refusalText(code);
}
