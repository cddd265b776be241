import "./clinic.css";
import { Trans } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { answered, api, type Schemas } from "../app/api";
import { useContextOfSession, useFollow } from "../app/shell";
import { initials } from "../patient/result";
import { Gate } from "../ui/gate";
import { PleaseSignIn } from "../ui/please";
import { Applications } from "./applications";
import { FindClinic } from "./find";
import { Members } from "./members";
import { Standing } from "./standing";

const route = getRouteApi("/clinic");

/** A clinic's own page: its doctors, with their desks, and what is known of it. Operators choose one. */
export function ClinicPage() {
  const chosen = route.useSearch().clinic;
  return (
    <Gate>
      {({ role, subject, clinic_id }) => {
        if (role === "admin") return chosen === undefined ? <FindClinic /> : <Clinic key={chosen} id={chosen} />;
        const id = clinic_id ?? (role === "clinic_admin" || role === "staff" ? subject : undefined);
        return id === undefined || id === null ? <PleaseSignIn /> : <Clinic id={id} />;
      }}
    </Gate>
  );
}

function Clinic({ id }: { id: string }) {
  const found = useQuery({
    queryKey: ["clinic", id],
    queryFn: async () => answered(await api.GET("/v1/clinics/{clinic_id}", { params: { path: { clinic_id: id } } })),
  });
  if (found.isError) {
    return (
      <p className="notice bad" role="alert">
        <Trans>There is no such clinic, or it could not be loaded.</Trans>
      </p>
    );
  }
  if (found.data === undefined) return <div className="card page-room" aria-busy="true" />;
  return <Known clinic={found.data} />;
}

function Known({ clinic }: { clinic: Schemas["ClinicBody"] }) {
  const doctors = useDoctors(clinic);
  const follow = useFollow();
  const role = useContextOfSession()?.role;
  const isOperator = role === "admin";
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
      {!isOperator && (
        <div>
          <a className="button" href="/clinic/reports" onClick={follow}>
            <Trans>Reports</Trans>
          </a>
        </div>
      )}
      <Doctors clinic={clinic} />
      <section className="card row between" aria-labelledby="rooms-way">
        <div>
          <h2 id="rooms-way">
            <Trans>Rooms and equipment</Trans>
          </h2>
          <p className="quiet">
            <Trans>What visits take besides a doctor: with hours, and the day of each.</Trans>
          </p>
        </div>
        <a className="button" href={isOperator ? `/clinic/rooms?clinic=${encodeURIComponent(clinic.clinic_id)}` : "/clinic/rooms"} onClick={follow}>
          <Trans>Open</Trans>
        </a>
      </section>
      <Applications clinic={clinic.clinic_id} />
      <Members clinic={clinic.clinic_id} doctors={doctors.data ?? []} />
      <Data clinic={clinic} canEdit={role === "admin" || role === "clinic_admin"} />
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
  const role = useContextOfSession()?.role;
  const hasDesks = role !== "admin";
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
              {(role === "clinic_admin" || role === "admin") && (
                <a className="button small" href={`/desk/entry/${one.provider_id}`} onClick={follow}>
                  <Trans>Entry</Trans>
                </a>
              )}
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
  { page: "list", name: <Trans>Waiting list</Trans> },
  { page: "hours", name: <Trans>Hours</Trans> },
  { page: "leave", name: <Trans>Leave</Trans> },
];

/** What patients read of the clinic, in short, and the way to edit it. */
function Data({ clinic, canEdit }: { clinic: Schemas["ClinicBody"]; canEdit: boolean }) {
  const follow = useFollow();
  const entry = useQuery({
    queryKey: ["clinic", clinic.clinic_id, "entry"],
    queryFn: async () =>
      answered(
        await api.GET("/v1/clinics/{clinic_id}/directory-entry", { params: { path: { clinic_id: clinic.clinic_id } } }),
      ),
  });
  const isComplete = clinic.address !== "" && clinic.city !== "" && clinic.latitude !== null && clinic.phone !== "";
  return (
    <section className="card stack" aria-labelledby="data">
      <div className="row between">
        <h2 id="data">
          <Trans>The clinic's data</Trans>
        </h2>
        {entry.data?.retired === true && (
          <span className="chip warn">
            <Trans>retired</Trans>
          </span>
        )}
      </div>
      <p>
        <bdi>{[clinic.address, [clinic.postcode, clinic.city].filter(Boolean).join(" "), clinic.country].filter(Boolean).join(", ")}</bdi>
        {clinic.phone !== "" && (
          <>
            <br />
            <bdi>{clinic.phone}</bdi>
          </>
        )}
      </p>
      {entry.data?.access_notes !== undefined && entry.data.access_notes !== "" && (
        <p className="quiet lines">
          <bdi>{entry.data.access_notes}</bdi>
        </p>
      )}
      {canEdit && (
        <>
          {!isComplete && (
            <p className="notice">
              <Trans>Address, telephone or the place on the map is missing: patients who search nearby find the clinic less often.</Trans>
            </p>
          )}
          <div>
            <a className="button" href={`/clinic/edit?clinic=${encodeURIComponent(clinic.clinic_id)}`} onClick={follow}>
              <Trans>Edit the data</Trans>
            </a>
          </div>
        </>
      )}
    </section>
  );
}
