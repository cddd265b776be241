import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { refusalText } from "../app/refusals";
import { addDays, localOf, sayDay, sayStart } from "../app/time";
import type { Booking } from "../live/frames";
import { Dialog } from "../ui/dialog";
import type { Doing } from "./day";
import { TimeChoice } from "./choices";
import { PatientName } from "./names";
import { targetsOf } from "./visit";

const DAYS_AHEAD = 14;

/** Move a visit by choosing a day and a time: the way without dragging. */
export function MoveDialog({ visit, doing, onClose }: { visit: Booking; doing: Doing; onClose: () => void }) {
  const { t, i18n } = useLingui();
  const { zone, onMove } = doing;
  const own = localOf(visit.start, zone).date;
  const [from, setFrom] = useState(own);
  const found = useQuery({
    queryKey: ["targets", visit.booking_id, from],
    staleTime: 0,
    queryFn: () => targetsOf(visit, from, addDays(from, DAYS_AHEAD - 1)),
  });
  const days = new Map<string, string[]>();
  for (const start of found.data ?? []) {
    // The calendar offers the visit's own time to it, too: that is no move.
    if (Date.parse(start) === Date.parse(visit.start)) continue;
    const { date } = localOf(start, zone);
    days.set(date, [...(days.get(date) ?? []), start]);
  }
  const [day, setDay] = useState<string>();
  const shown = day !== undefined && days.has(day) ? day : days.keys().next().value;
  return (
    <Dialog title={t`Move the visit`} onClose={onClose}>
      <p className="quiet">
        <PatientName id={visit.patient_id} />, <bdi>{sayStart(visit.start, zone)}</bdi>
      </p>
      {found.isError && found.data === undefined && (
        <p className="notice bad row between" role="alert">
          {i18n._(refusalText(undefined))}
          <button className="button small" type="button" onClick={() => void found.refetch()}>
            <Trans>Try again</Trans>
          </button>
        </p>
      )}
      {found.isSuccess && days.size === 0 && (
        <p role="status">
          <Trans>No free time in these two weeks.</Trans>
        </p>
      )}
      <div className="row">
        <div className="field">
          <label htmlFor="move-day">
            <Trans>Day</Trans>
          </label>
          <select id="move-day" className="input" value={shown ?? ""} onChange={(event) => setDay(event.target.value)}>
            {[...days.keys()].map((one) => (
              <option key={one} value={one}>
                {sayDay(one, { weekday: "short", day: "numeric", month: "short" })}
              </option>
            ))}
          </select>
        </div>
        <button className="button" type="button" onClick={() => setFrom(addDays(from, DAYS_AHEAD))}>
          <Trans>Later days</Trans>
        </button>
      </div>
      <TimeChoice
        starts={days.get(shown ?? "") ?? []}
        zone={zone}
        label={t`Free times`}
        onPick={(start) => {
          onClose();
          onMove(visit, start);
        }}
      />
      <button className="button" type="button" onClick={onClose}>
        <Trans>Leave it as it is</Trans>
      </button>
    </Dialog>
  );
}
