import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api } from "../app/api";
import { useFollow } from "../app/shell";
import { Icon } from "../ui/icons";

const SHOWN = 50;

/** For operators, who belong to no clinic: they find one. */
export function FindClinic() {
  const { t } = useLingui();
  const follow = useFollow();
  const [words, setWords] = useState("");
  const found = useQuery({
    queryKey: ["clinics", words, SHOWN],
    queryFn: async () => answered(await api.GET("/v1/clinics", { params: { query: { query: words, limit: SHOWN, retired: "true" } } })),
    placeholderData: (before) => before,
  });
  return (
    <div className="stack medium">
      <div className="row between">
        <h1>
          <Trans>Clinics</Trans>
        </h1>
        <div className="row">
          <a className="button" href="/ops/specialties" onClick={follow}>
            <Trans>Specialties</Trans>
          </a>
          <a className="button" href="/clinic/reports" onClick={follow}>
            <Trans>Reports</Trans>
          </a>
          <a className="button primary" href="/clinic/edit" onClick={follow}>
            <Trans>Add a clinic</Trans>
          </a>
        </div>
      </div>
      <div className="field card" role="search">
        <label htmlFor="clinic-words">
          <Trans>Name or town</Trans>
        </label>
        <input id="clinic-words" className="input" type="search" value={words} onChange={(event) => setWords(event.target.value)} />
      </div>
      {found.isError && (
        <p className="notice bad" role="alert">
          <Trans>The clinics could not be loaded. Try again in a moment.</Trans>
        </p>
      )}
      {found.data?.items.length === 0 && (
        <p className="card empty" role="status">
          <Icon name="clinic" size={32} />
          <Trans>No clinic is called like this.</Trans>
        </p>
      )}
      <ul className="plain-list stack" aria-label={t`Clinics`} aria-busy={found.isPending}>
        {(found.data?.items ?? []).map((one) => (
          <li key={one.clinic_id}>
            <a className="card clinicrow" href={`/clinic?clinic=${encodeURIComponent(one.clinic_id)}`} onClick={follow}>
              <strong>
                <bdi>{one.name}</bdi>{" "}
                {one.retired && (
                  <span className="chip plain">
                    <Trans>retired</Trans>
                  </span>
                )}
              </strong>
              <bdi className="quiet">{one.city}</bdi>
            </a>
          </li>
        ))}
      </ul>
      {found.data?.next_cursor != null && (
        <p className="quiet small">
          <Trans>There are more. Write more of the name.</Trans>
        </p>
      )}
    </div>
  );
}
