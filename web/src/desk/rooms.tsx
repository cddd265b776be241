import { Trans } from "@lingui/react/macro";
import { Fragment } from "react";
import { useContextOfSession, useFollow } from "../app/shell";
import { localOf } from "../app/time";
import type { Booking } from "../live/frames";
import { hrefOf, useResources } from "./resources";

interface Props {
  visit: Booking;
  clinic: string;
  zone: string;
}

/** The rooms and devices that a visit has, each with the way to its day. */
export function RoomsOfVisit({ visit, clinic, zone }: Props) {
  const follow = useFollow();
  const role = useContextOfSession()?.role;
  const found = useResources(clinic);
  const has = new Set(visit.resources);
  const names = (found.data ?? []).filter((one) => has.has(one.resource_id));
  if (names.length === 0) return null;
  const { date } = localOf(visit.start, zone);
  return (
    <p className="small rooms">
      {names.map((one, index) => (
        <Fragment key={one.resource_id}>
          {index > 0 && " · "}
          {/* The days of rooms are the desk's: a doctor reads the name alone. */}
          {role === "doctor" ? (
            <bdi>{one.name}</bdi>
          ) : (
            <a href={hrefOf(one.resource_id, date)} onClick={follow}>
              <bdi>{one.name}</bdi>
            </a>
          )}
          {one.retired && (
            <>
              {" "}
              <span className="chip warn">
                <Trans>retired</Trans>
              </span>
            </>
          )}
        </Fragment>
      ))}
    </p>
  );
}
