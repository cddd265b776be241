import { lazy } from "react";
import { enter } from "../i18n";

/** What a visit says whose time was taken away: the page of visits does not wait for it. */
export const ChooseWay = lazy(() =>
  Promise.all([import("./choose"), enter("account")]).then(([{ Way }]) => ({ default: Way })),
);
