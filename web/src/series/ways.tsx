import { lazy } from "react";
import { enter } from "../i18n";

/** The doors to series, for pages of other rooms: they do not wait for them. */
const nothing = { default: (): null => null };

/** "Repeat": several visits in one go, at the provider's page, a visit, or the desk. */
export const RepeatWay = lazy(() =>
  Promise.all([import("./repeat"), enter("series")]).then(
    ([{ RepeatButton }]) => ({ default: RepeatButton }),
    () => nothing,
  ),
);

/** A series' dialog, which asks what is meant when one of its visits is cancelled or moved. */
export const SeriesAsk = lazy(() =>
  Promise.all([import("./whole"), enter("series")]).then(
    ([{ SeriesDialog }]) => ({ default: SeriesDialog }),
    () => nothing,
  ),
);

/** Which series a visit belongs to; it opens the whole series. */
export const SeriesWay = lazy(() =>
  Promise.all([import("./whole"), enter("series")]).then(
    ([{ SeriesButton }]) => ({ default: SeriesButton }),
    () => nothing,
  ),
);
