import { useFollow } from "../app/shell";
import { localOf, sayStart } from "../app/time";
import type { Schemas } from "../app/api";
import { ProviderName } from "./names";

/** Visits that have a room, by its own bookings: when, whose, and the way to the day of each. */
export function PartsOfVisits({ rows, zone }: { rows: readonly Schemas["BookingBody"][]; zone: string }) {
  const follow = useFollow();
  return (
    <ul>
      {rows.map((one) => (
        <li key={one.booking_id}>
          <a href={`/desk/day/${one.visit_provider_id ?? one.provider_id}?date=${localOf(one.start, zone).date}`} onClick={follow}>
            <bdi>{sayStart(one.start, zone)}</bdi>
          </a>
          , <ProviderName id={one.visit_provider_id ?? undefined} />
        </li>
      ))}
    </ul>
  );
}
