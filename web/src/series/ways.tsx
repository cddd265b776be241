import { lazy, type ComponentType } from "react";
import { enter } from "../i18n";
import type { Way } from "./repeat";
import type { Membership, Whole } from "./whole";

/** The doors to series, for pages of other rooms: they do not wait for them, and do without them. */
function door<P extends object>(load: () => Promise<ComponentType<P>>) {
  return lazy(async (): Promise<{ default: ComponentType<P> }> => {
    try {
      const [found] = await Promise.all([load(), enter("account")]);
      return { default: found };
    } catch {
      return { default: () => null };
    }
  });
}

/** "Repeat": several visits in one go, at the provider's page, a visit, or the desk. */
export const RepeatWay = door<Way>(async () => (await import("./repeat")).RepeatButton);

/** A series' dialog, which asks what is meant when one of its visits is cancelled or moved. */
export const SeriesAsk = door<Whole>(async () => (await import("./whole")).SeriesDialog);

/** Which series a visit belongs to; it opens the whole series. */
export const SeriesWay = door<Membership>(async () => (await import("./whole")).SeriesButton);
