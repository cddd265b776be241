import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { Provider } from "../app/api";
import { refusalText } from "../app/refusals";
import { localOf, today } from "../app/time";
import type { Booking } from "../live/frames";
import { useBookings, useLive, useNow } from "../live/hooks";
import { Icon } from "../ui/icons";
import { Desk } from "./desk";
import { PatientName } from "./patient";
import { act, zoneOf } from "./visit";

const route = getRouteApi("/desk/waiting/$provider");
/** A visit whose patient has not arrived is late this long after its start. */
const LATE_MS = 5 * 60_000;

/** Who is here, who is due and who is late, live. */
export function WaitingPage() {
  const { provider } = route.useParams();
  return <Desk provider={provider}>{(found) => <Waiting provider={found} />}</Desk>;
}

function Waiting({ provider }: { provider: Provider }) {
  const rows = useBookings(`schedule/${provider.provider_id}`);
  const now = useMinutes();
  const arrivedAt = useArrivals(provider.provider_id);
  const zone = zoneOf(provider);
  if (rows === undefined) return <div className="card page-room" aria-busy="true" />;
  const ofDay = rows.filter((one) => localOf(one.start, zone).date === today(zone, now));
  const here = ofDay.filter((one) => one.status === "arrived");
  const booked = ofDay.filter((one) => one.status === "booked");
  const late = booked.filter((one) => Date.parse(one.start) + LATE_MS < now);
  const due = booked.filter((one) => !late.includes(one));
  const show = (list: readonly Booking[]) =>
    list.map((one) => (
      <Person key={one.booking_id} visit={one} zone={zone} now={now} since={arrivedAt.get(one.booking_id)} />
    ));
  return (
    <div className="stack">
      <h1>
        <Trans>Waiting room</Trans>
      </h1>
      {here.length + due.length + late.length === 0 && (
        <p className="card empty">
          <Icon name="person" size={32} />
          <Trans>No one is expected any more today.</Trans>
        </p>
      )}
      <div className="waiting">
        <section className="stack" aria-labelledby="here">
          <h2 id="here">
            <Trans>Here</Trans> <span className="chip">{here.length}</span>
          </h2>
          <ul className="plain-list stack">{show(here)}</ul>
        </section>
        <section className="stack" aria-labelledby="due">
          <h2 id="due">
            <Trans>Due</Trans> <span className="chip plain">{due.length}</span>
          </h2>
          <ul className="plain-list stack">{show(due)}</ul>
        </section>
        <section className="stack" aria-labelledby="late">
          <h2 id="late">
            <Trans>Late</Trans> <span className="chip warn">{late.length}</span>
          </h2>
          <ul className="plain-list stack">{show(late)}</ul>
        </section>
      </div>
    </div>
  );
}

function Person(props: { visit: Booking; zone: string; now: number; since: number | undefined }) {
  const { visit, zone, now, since } = props;
  const { i18n } = useLingui();
  const [refused, setRefused] = useState<string>();
  const say = async (what: "check-in" | "complete" | "no-show") => setRefused(await act(visit, what));
  const late = Math.floor((now - Date.parse(visit.start)) / 60_000);
  const waits = since === undefined ? undefined : Math.max(0, Math.floor((now - since) / 60_000));
  return (
    <li className="card person" data-booking={visit.booking_id}>
      <div className="row between">
        <strong>
          <PatientName id={visit.patient_id} />
        </strong>
        <time dateTime={visit.start}>
          <bdi>{localOf(visit.start, zone).time}</bdi>
        </time>
      </div>
      <p className="quiet small">
        {visit.status === "arrived" && waits !== undefined && (
          <Plural value={waits} one="waits # minute" other="waits # minutes" />
        )}
        {visit.status === "booked" && late > 0 && (
          <Plural value={late} one="# minute late" other="# minutes late" />
        )}
      </p>
      {refused !== undefined && (
        <p className="small notice bad" role="alert">
          {i18n._(refusalText(refused))}
        </p>
      )}
      <div className="row">
        {visit.status === "arrived" ? (
          <button className="button small primary" type="button" onClick={() => void say("complete")}>
            <Trans>Done</Trans>
          </button>
        ) : (
          <>
            <button className="button small" type="button" onClick={() => void say("check-in")}>
              <Trans>Here</Trans>
            </button>
            {late > 0 && (
              <button className="button small" type="button" onClick={() => void say("no-show")}>
                <Trans>Did not come</Trans>
              </button>
            )}
          </>
        )}
      </div>
    </li>
  );
}

/**
 * Since when this page has seen each visit as arrived: the server does not tell the moment, and
 * those that were here before the page was opened have waited for an unknown time.
 */
function useArrivals(provider: string): ReadonlyMap<string, number> {
  const live = useLive();
  const [seen, setSeen] = useState<ReadonlyMap<string, number>>(new Map());
  useEffect(() => {
    let before: ReadonlySet<string> | undefined;
    return live.watch(`schedule/${provider}`, () => {
      const bookings = live.view(`schedule/${provider}`)?.bookings.values() ?? [];
      const here = [...bookings].filter((one) => one.status === "arrived").map((one) => one.booking_id);
      const known = before;
      before = new Set(here);
      if (known === undefined) return;
      setSeen((old) => {
        const times = here.map((id) => [id, old.get(id) ?? (known.has(id) ? undefined : Date.now())] as const);
        return new Map(times.filter((one): one is [string, number] => one[1] !== undefined));
      });
    });
  }, [live, provider]);
  return seen;
}

/** The server's time, a new one every ten seconds. */
function useMinutes(): number {
  const [, turn] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => turn((old) => old + 1), 10_000);
    return () => clearInterval(timer);
  }, []);
  return useNow(false);
}
