import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api } from "../app/api";
import { sayVisit } from "../series/asking";
import { SeriesDialog } from "../series/whole";
import { PatientName } from "./names";

/** How often the list is read again while the page is open. */
const AGAIN_MS = 60_000;

/** Visits of series that could not be booked when their time came; nothing if there are none. */
export function Unplaced({ provider }: { provider: string }) {
  const { t } = useLingui();
  const [open, setOpen] = useState<{ name: string; number: number }>();
  const found = useQuery({
    queryKey: ["unplaced", provider],
    refetchInterval: AGAIN_MS,
    queryFn: async () =>
      answered(await api.GET("/v1/providers/{provider_id}/series", { params: { path: { provider_id: provider } } }))
        .items,
  });
  const close = () => {
    setOpen(undefined);
    void found.refetch();
  };
  const rows = (found.data ?? []).flatMap((series) =>
    series.visits.filter((one) => one.state === "failed").map((visit) => ({ series, visit })),
  );
  if (rows.length === 0) return null;
  return (
    <section className="card stack" aria-labelledby="unplaced">
      <h2 id="unplaced">
        <Trans>Visits of series that could not be booked</Trans>
      </h2>
      <ul className="plain-list">
        {rows.map(({ series, visit }) => (
          <li key={`${series.series_id} ${visit.number}`} className="row between">
            <span>
              <PatientName id={series.patient_id} />, <bdi>{sayVisit(visit.start, series.time_zone)}</bdi>
            </span>
            <button
              className="button small"
              type="button"
              aria-label={t`Choose another time for visit ${visit.number}`}
              onClick={() => setOpen({ name: series.series_id, number: visit.number })}
            >
              <Trans>Choose another time</Trans>
            </button>
          </li>
        ))}
      </ul>
      {open !== undefined && <SeriesDialog name={open.name} first={open.number} onClose={close} />}
    </section>
  );
}
