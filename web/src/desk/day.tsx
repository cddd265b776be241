import "./day.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { answered, api, newKey } from "../app/api";
import { refusalText } from "../app/refusals";
import { useContextOfSession } from "../app/shell";
import { addDays, localOf, sayDay, today } from "../app/time";
import type { Booking } from "../live/frames";
import { useBookings } from "../live/hooks";

const route = getRouteApi("/desk/day/$provider");

/** A doctor's day, live: new, moved and cancelled visits appear as they happen. */
export function DayPage() {
  const { provider } = route.useParams();
  const { date } = route.useSearch();
  const context = useContextOfSession();
  const found = useQuery({
    queryKey: ["provider", provider],
    queryFn: async () =>
      answered(
        await api.GET("/v1/providers/{provider_id}", { params: { path: { provider_id: provider } } }),
      ),
  });
  if (context === undefined) {
    return (
      <p className="card">
        <Trans>Please sign in as a doctor or a member of the clinic's staff.</Trans>
      </p>
    );
  }
  if (found.data === undefined) return <div className="card" aria-busy="true" />;
  const zone = found.data.locations[0]?.time_zone ?? found.data.clinic.time_zone;
  const titles = new Map(found.data.visit_types.map((one) => [one.visit_type, one.title]));
  return (
    <Day
      provider={provider}
      name={found.data.name}
      zone={zone}
      titles={titles}
      date={date ?? today(zone)}
    />
  );
}

interface DayProps {
  provider: string;
  name: string;
  zone: string;
  titles: Map<string, string>;
  date: string;
}

function Day({ provider, name, zone, titles, date }: DayProps) {
  const { t } = useLingui();
  const navigate = useNavigate();
  const rows = useBookings(`schedule/${provider}`);
  const fresh = useFresh(rows);
  const turn = (days: number) =>
    void navigate({
      to: "/desk/day/$provider",
      params: { provider },
      search: { date: addDays(date, days) },
      replace: true,
    });
  const ofDay = (rows ?? []).filter(
    (one) => localOf(one.start, zone).date === date && one.status !== "cancelled",
  );
  const cancelled = (rows ?? []).filter(
    (one) =>
      localOf(one.start, zone).date === date && one.status === "cancelled" && fresh.has(one.booking_id),
  );
  return (
    <div className="stack">
      <div className="row between">
        <div>
          <h1>{sayDay(date, { weekday: "long", day: "numeric", month: "long" })}</h1>
          <p className="quiet">
            <bdi>{name}</bdi>
          </p>
        </div>
        <div className="row" role="group" aria-label={t`Day`}>
          <button className="button turn" type="button" aria-label={t`Day before`} onClick={() => turn(-1)}>
            ‹
          </button>
          <button className="button turn" type="button" aria-label={t`Day after`} onClick={() => turn(1)}>
            ›
          </button>
        </div>
      </div>
      {rows === undefined && <div className="card" aria-busy="true" />}
      {rows !== undefined && ofDay.length === 0 && (
        <p className="card">
          <Trans>No visits on this day.</Trans>
        </p>
      )}
      <ol className="day">
        {[...ofDay, ...cancelled]
          .sort((a, b) => a.start.localeCompare(b.start))
          .map((one) => (
            <Row
              key={one.booking_id}
              visit={one}
              zone={zone}
              title={titles.get(one.visit_type) ?? one.visit_type}
              isFresh={fresh.has(one.booking_id)}
            />
          ))}
      </ol>
    </div>
  );
}

/** Ids of visits that came or changed while this page was open, for a while. */
function useFresh(rows: readonly Booking[] | undefined): ReadonlySet<string> {
  const seen = useRef<Map<string, string>>(undefined);
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    if (rows === undefined) return;
    const before = seen.current;
    seen.current = new Map(rows.map((one) => [one.booking_id, `${one.status} ${one.start}`]));
    if (before === undefined) return;
    const changed = rows
      .filter((one) => before.get(one.booking_id) !== `${one.status} ${one.start}`)
      .map((one) => one.booking_id);
    if (changed.length === 0) return;
    setFresh((old) => new Set([...old, ...changed]));
    const timer = setTimeout(
      () => setFresh((old) => new Set([...old].filter((id) => !changed.includes(id)))),
      20_000,
    );
    return () => clearTimeout(timer);
  }, [rows]);
  return fresh;
}

function Row(props: { visit: Booking; zone: string; title: string; isFresh: boolean }) {
  const { visit, zone, title, isFresh } = props;
  const { i18n } = useLingui();
  const [refused, setRefused] = useState<string>();
  const say = async (act: "check-in" | "complete" | "no-show" | "undo") => {
    const answer = await api.POST(`/v1/bookings/{booking_id}/${act}`, {
      params: {
        path: { booking_id: visit.booking_id },
        header: { "Idempotency-Key": newKey() },
      },
    });
    setRefused(answer.error === undefined ? undefined : answer.error.code);
  };
  return (
    <li className="visit" data-status={visit.status} data-fresh={isFresh}>
      <time dateTime={visit.start}>
        <bdi>
          {localOf(visit.start, zone).time}–{localOf(visit.end, zone).time}
        </bdi>
      </time>
      <div>
        <strong>
          <bdi>{visit.patient_id}</bdi>
        </strong>{" "}
        <span className="quiet">{title}</span>
        {visit.reason !== undefined && visit.reason !== "" && (
          <p className="small">
            <bdi>{visit.reason}</bdi>
          </p>
        )}
        {refused !== undefined && (
          <p className="small notice bad" role="alert">
            {i18n._(refusalText(refused))}
          </p>
        )}
      </div>
      <span className="row">
        {isFresh && (
          <span className="chip warn">
            {visit.status === "cancelled" ? <Trans>Cancelled just now</Trans> : <Trans>New</Trans>}
          </span>
        )}
        {visit.status === "booked" && (
          <>
            <button className="button" type="button" onClick={() => void say("check-in")}>
              <Trans>Here</Trans>
            </button>
            <button className="button" type="button" onClick={() => void say("no-show")}>
              <Trans>Did not come</Trans>
            </button>
          </>
        )}
        {visit.status === "arrived" && (
          <button className="button primary" type="button" onClick={() => void say("complete")}>
            <Trans>Done</Trans>
          </button>
        )}
        {(visit.status === "fulfilled" || visit.status === "noshow" || visit.status === "arrived") && (
          <button className="button" type="button" onClick={() => void say("undo")}>
            <Trans>Undo</Trans>
          </button>
        )}
      </span>
    </li>
  );
}
