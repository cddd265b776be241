import { lazy } from "react";
import { enter } from "../i18n";

/** The link to the calendar addresses, for pages of other rooms: they do not wait for it. */
export const FeedWay = lazy(() =>
  Promise.all([import("./feedlink"), enter("account")]).then(
    ([{ FeedLink }]) => ({ default: FeedLink }),
    () => ({ default: (): null => null }),
  ),
);
