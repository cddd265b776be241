import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { refusalText } from "../app/refusals";

/** What only documents can be refused. */
const SAID: Record<string, MessageDescriptor> = {
  document_limit: msg`There is no room for this file. Remove documents that are not needed any more.`,
  document_not_available: msg`This document is still being checked. Try again in a moment.`,
  document_offset: msg`This file is being sent from another page. Try again in a moment.`,
  document_too_large: msg`This file is too large. Choose one of at most 20 MB.`,
  request_timeout: msg`The line is too slow. Choose the same file again to go on.`,
};

const FAULTS: Record<string, MessageDescriptor> = {
  kind: msg`Refused: it is no PDF and no picture.`,
  heic: msg`Refused: pictures of the kind HEIC cannot be read here. Send it as JPEG.`,
  pixels: msg`Refused: it is too large to be read.`,
  damaged: msg`Refused: the file is damaged.`,
  locked: msg`Refused: the PDF has a password. Save it without one.`,
  malware: msg`Refused: the file is known to be harmful.`,
};

/** What to say of a refusal, by its code. */
export const documentRefusal = (code: string): MessageDescriptor => SAID[code] ?? refusalText(code);

/** Why a document was refused when it was checked. */
export const faultText = (fault: string): MessageDescriptor => FAULTS[fault] ?? FAULTS.damaged!;
