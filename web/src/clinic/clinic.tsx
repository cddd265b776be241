import "./clinic.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState, type FormEvent, type ReactNode } from "react";
import { answered, api, newKey, type Schemas } from "../app/api";
import { refusalText } from "../app/refusals";
import { useContextOfSession, useFollow, useIsReady } from "../app/shell";
import { initials } from "../patient/result";
import { PleaseSignIn } from "../ui/please";
import { speakOut } from "../ui/spoken";
import { Applications } from "./applications";
import { FindClinic } from "./find";
import { Members } from "./members";
import { Standing } from "./standing";

const route = getRouteApi("/clinic");

/** A clinic's own page: its doctors, with their desks, and what is known of it. Operators choose one. */
export function ClinicPage() {
  const context = useContextOfSession();
  const isReady = useIsReady();
  const chosen = route.useSearch().clinic;
  if (!isReady) return <div className="card page-room" aria-busy="true" />;
  if (context?.role === "admin") return chosen === undefined ? <FindClinic /> : <Clinic key={chosen} id={chosen} />;
  const id = context?.clinic_id ?? (context?.role === "clinic_admin" || context?.role === "staff" ? context.subject : undefined);
  if (id === undefined || id === null) return <PleaseSignIn />;
  return <Clinic id={id} />;
}

function Clinic({ id }: { id: string }) {
  const found = useQuery({
    queryKey: ["clinic", id],
    queryFn: async () => {
      const answer = await api.GET("/v1/clinics/{clinic_id}", { params: { path: { clinic_id: id } } });
      return { clinic: answered(answer), tag: answer.response.headers.get("etag") ?? "" };
    },
  });
  if (found.isError) {
    return (
      <p className="notice bad" role="alert">
        <Trans>There is no such clinic, or it could not be loaded.</Trans>
      </p>
    );
  }
  if (found.data === undefined) return <div className="card page-room" aria-busy="true" />;
  const { clinic, tag } = found.data;
  return <Known clinic={clinic} tag={tag} />;
}

function Known({ clinic, tag }: { clinic: Schemas["ClinicBody"]; tag: string }) {
  const doctors = useDoctors(clinic);
  const follow = useFollow();
  const isOperator = useContextOfSession()?.role === "admin";
  return (
    <div className="stack">
      <div>
        {isOperator && (
          <p>
            <a href="/clinic" onClick={follow}>
              <Trans>All clinics</Trans>
            </a>
          </p>
        )}
        <h1>
          <bdi>{clinic.name}</bdi>
        </h1>
        <p className="quiet">
          <bdi>{[clinic.address, clinic.city].filter(Boolean).join(", ")}</bdi>
        </p>
      </div>
      <Doctors clinic={clinic} />
      <Applications clinic={clinic.clinic_id} />
      <Members clinic={clinic.clinic_id} doctors={doctors.data ?? []} />
      <Data key={tag} clinic={clinic} tag={tag} />
    </div>
  );
}

/** All of a clinic's calendars, those that patients do not find too. */
function useDoctors(clinic: Schemas["ClinicBody"]) {
  const path = { clinic_id: clinic.clinic_id };
  return useQuery({
    queryKey: ["doctors", clinic.clinic_id],
    queryFn: async () => {
      const all: Schemas["CalendarAnswer"][] = [];
      let cursor: string | null = "";
      do {
        const query = { limit: 200, ...(cursor === "" ? {} : { cursor }) };
        const page: Schemas["CalendarsAnswer"] = answered(
          await api.GET("/v1/clinics/{clinic_id}/calendars", { params: { path, query } }),
        );
        all.push(...page.items);
        cursor = page.next_cursor;
      } while (cursor !== null);
      return all;
    },
  });
}

function Doctors({ clinic }: { clinic: Schemas["ClinicBody"] }) {
  const follow = useFollow();
  const found = useDoctors(clinic);
  // Patients' visits are the clinic's own: no operator opens a desk.
  const hasDesks = useContextOfSession()?.role !== "admin";
  return (
    <section className="stack" aria-labelledby="doctors">
      <h2 id="doctors">
        <Trans>Doctors</Trans>
      </h2>
      {found.isError && (
        <p className="notice bad" role="alert">
          <Trans>The doctors could not be loaded. Load the page again.</Trans>
        </p>
      )}
      {found.data?.length === 0 && (
        <p className="card">
          <Trans>No doctor works here yet.</Trans>
        </p>
      )}
      <ul className="plain-list stack" aria-busy={found.isPending}>
        {(found.data ?? []).map((one) => (
          <li key={one.provider_id} className="card staffrow" data-provider={one.provider_id}>
            <span className="avatar" aria-hidden="true">
              {initials(one.name)}
            </span>
            <div>
              <h3>
                <bdi>{one.name}</bdi>{" "}
                {one.suspended && (
                  <span className="chip warn">
                    <Trans>suspended</Trans>
                  </span>
                )}
                {one.retired && (
                  <span className="chip plain">
                    <Trans>retired</Trans>
                  </span>
                )}
              </h3>
              <p className="quiet">
                <bdi>{one.specialty}</bdi>
              </p>
            </div>
            <div className="row">
              {hasDesks &&
                DESKS.map(({ page, name }) => (
                  <a key={page} className="button small" href={`/desk/${page}/${one.provider_id}`} onClick={follow}>
                    {name}
                  </a>
                ))}
              <Standing doctor={one} zone={clinic.time_zone} />
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

const DESKS: { page: string; name: ReactNode }[] = [
  { page: "day", name: <Trans>Day</Trans> },
  { page: "waiting", name: <Trans>Waiting room</Trans> },
  { page: "hours", name: <Trans>Hours</Trans> },
  { page: "leave", name: <Trans>Leave</Trans> },
];

const FIELDS: { name: keyof Schemas["ClinicDetails"]; label: ReactNode }[] = [
  { name: "name", label: <Trans>Name</Trans> },
  { name: "phone", label: <Trans>Phone</Trans> },
  { name: "address", label: <Trans>Street and number</Trans> },
  { name: "postcode", label: <Trans>Postcode</Trans> },
  { name: "city", label: <Trans>Town</Trans> },
  { name: "country", label: <Trans>Country (two letters)</Trans> },
  { name: "time_zone", label: <Trans>Time zone</Trans> },
];

/** What is known of the clinic: saved only if no one else changed it meanwhile. */
function Data({ clinic, tag }: { clinic: Schemas["ClinicBody"]; tag: string }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const [wrong, setWrong] = useState<{ code: string; fields: Record<string, string> }>();
  const save = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>;
    const { error } = await api.PUT("/v1/clinics/{clinic_id}", {
      params: { path: { clinic_id: clinic.clinic_id }, header: { "Idempotency-Key": newKey() } },
      headers: { "If-Match": tag },
      body: { ...clinic, ...values } as Schemas["ClinicDetails"],
    });
    if (error !== undefined) {
      const fields = Object.fromEntries((error.errors ?? []).map((one) => [one.field, one.message]));
      return setWrong({ code: error.code, fields });
    }
    setWrong(undefined);
    speakOut(t`The clinic's data are saved.`);
    await queries.invalidateQueries({ queryKey: ["clinic"] });
  };
  return (
    <form className="card stack" onSubmit={(event) => void save(event)} noValidate>
      <h2>
        <Trans>The clinic's data</Trans>
      </h2>
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {wrong.code === "version_behind"
            ? t`The data were changed meanwhile. Load the page again, then change them.`
            : Object.keys(wrong.fields).length > 0
              ? t`Please check the fields that are marked.`
              : i18n._(refusalText(wrong.code))}
        </p>
      )}
      <div className="fields">
        {FIELDS.map(({ name, label }) => (
          <div className="field" key={name}>
            <label htmlFor={`clinic-${name}`}>{label}</label>
            {wrong?.fields[name] !== undefined && (
              <span className="wrong small" id={`clinic-${name}-wrong`}>
                {wrong.fields[name]}
              </span>
            )}
            <input
              id={`clinic-${name}`}
              name={name}
              className="input"
              defaultValue={String(clinic[name as keyof typeof clinic] ?? "")}
              aria-invalid={wrong?.fields[name] !== undefined}
              aria-describedby={wrong?.fields[name] === undefined ? undefined : `clinic-${name}-wrong`}
            />
          </div>
        ))}
      </div>
      <button className="button primary" type="submit">
        <Trans>Save the data</Trans>
      </button>
    </form>
  );
}
