/** The catalogues of rooms that are entered later. */
import type { Messages } from "@lingui/core";

export const catalogues = import.meta.glob<{ messages: Messages }>(["./*/*.po", "!./{patient,later,about}/*.po"]);
