import { lazy, type ComponentType } from "react";
import { enter } from "../i18n";
import type { Opened } from "./list";

/** The button that opens a visit's documents, for pages of other rooms: they do not wait for it. */
export const DocumentsWay = lazy(async (): Promise<{ default: ComponentType<Opened> }> => {
  try {
    const [found] = await Promise.all([import("./list"), enter("documents"), enter("later")]);
    return { default: found.DocumentsButton };
  } catch {
    return { default: () => null };
  }
});
