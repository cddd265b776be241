import { lazy } from "react";
import type { Provider } from "../app/api";
import { enter } from "../i18n";
import type { Booking } from "../live/frames";

export type At = Pick<Booking, "booking_id" | "start" | "resources">;

/** Under which the rooms of a visit are kept on a page: another time may have others. */
export const whereOf = ({ booking_id, start, resources }: At) => ["where", booking_id, start, resources?.join()];

/** Whether a visit may have rooms or equipment: as far as its provider's visits are known. */
export function mayTake(visit: Booking, provider: Provider | undefined): boolean {
  if (visit.resources !== undefined) return true;
  if (provider === undefined) return false;
  const kind = provider.visit_types.find((one) => one.visit_type === visit.visit_type);
  // What is not offered any more may have taken some when it was booked.
  return kind === undefined || (kind.resource_kinds ?? []).length > 0;
}

/** Where a visit takes place: the pages of patients do not wait for it, and do without it. */
export const WhereWay = lazy(() =>
  Promise.all([import("./where"), enter("account")]).then(
    ([{ Where }]) => ({ default: Where }),
    () => ({ default: (): null => null }),
  ),
);
