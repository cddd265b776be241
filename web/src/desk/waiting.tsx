import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useRef, useState, type ReactNode } from "react";
import type { Provider } from "../app/api";
import { useSite } from "../app/site";
import { localOf } from "../app/time";
import type { Booking } from "../live/frames";
import { useBookings, useLive } from "../live/hooks";
import { Icon } from "../ui/icons";
import { Desk } from "./desk";
import { useOutcomes } from "./outcome";
import { PatientName } from "./names";
import { canMiss, roomOf } from "./room";
import { RoomsOfVisit } from "./rooms";
import { Toast } from "./toast";
import { statusName, useMinutes, zoneOf, type Act } from "./visit";

const route = getRouteApi("/desk/waiting/$provider");
/** Who is here, who is due and who is late, live; and what can be undone. */
export function WaitingPage() {
  const { provider } = route.useParams();
  return <Desk provider={provider}>{(found) => <Waiting provider={found} />}</Desk>;
}

function Waiting({ provider }: { provider: Provider }) {
  const { t } = useLingui();
  const rows = useBookings(`schedule/${provider.provider_id}`);
  const now = useMinutes();
  const arrivedAt = useArrivals(provider.provider_id);
  const isEarly = useSite()?.early_outcomes === true;
  const { told, onAct, onRefused, onEnd } = useOutcomes();
  const [refused, setRefused] = useState<Refused>();
  const follow = useFocusThatFollows(rows);
  const zone = zoneOf(provider);
  if (rows === undefined) return <div className="card page-room" aria-busy="true" />;
  const { here, due, late, over } = roomOf(rows, zone, now);
  const onSay = async (visit: Booking, what: Act) => {
    follow(visit);
    const text = await onAct(visit, what);
    setRefused(text === undefined ? undefined : { id: visit.booking_id, text });
    if (what === "undo") onRefused(text);
  };
  const person = (one: Booking, isRow = false) => (
    <Person
      key={one.booking_id}
      visit={one}
      clinic={provider.clinic.clinic_id}
      zone={zone}
      now={now}
      since={arrivedAt.get(one.booking_id)}
      refused={refused?.id === one.booking_id ? refused.text : undefined}
      canMiss={canMiss(one, now, isEarly)}
      isRow={isRow}
      onSay={(what) => onSay(one, what)}
    />
  );
  return (
    <div className="stack desk">
      <div>
        <h1>
          <Trans>Waiting room</Trans>
        </h1>
        <p className="quiet">
          <bdi>{provider.name}</bdi>
        </p>
      </div>
      {here.length + due.length + late.length === 0 && (
        <p className="card empty">
          <Icon name="person" size={32} />
          <Trans>No one is expected any more today.</Trans>
        </p>
      )}
      <div className="waiting">
        <Group id="here" title={<Trans>Here</Trans>} tone="" none={t`No one is waiting.`} rows={here} show={person} />
        <Group id="due" title={<Trans>Due</Trans>} tone="plain" none={t`No one is due.`} rows={due} show={person} />
        <Group id="late" title={<Trans>Late</Trans>} tone="warn" none={t`No one is late.`} rows={late} show={person} />
      </div>
      {over.length > 0 && (
        <section className="card stack tight" aria-labelledby="over">
          <h2 id="over">
            <Trans>Over today</Trans> <span className="chip plain">{over.length}</span>
          </h2>
          <ul className="plain-list">{over.map((one) => person(one, true))}</ul>
        </section>
      )}
      <Toast told={told} onEnd={onEnd} />
    </div>
  );
}

interface Refused {
  id: string;
  text: string;
}

interface GroupProps {
  id: string;
  title: ReactNode;
  tone: string;
  none: string;
  rows: readonly Booking[];
  show: (one: Booking) => ReactNode;
}

function Group({ id, title, tone, none, rows, show }: GroupProps) {
  return (
    <section className="stack" aria-labelledby={id}>
      <h2 id={id}>
        {title} <span className={`chip ${tone}`}>{rows.length}</span>
      </h2>
      {rows.length === 0 ? <p className="quiet small">{none}</p> : <ul className="plain-list stack">{rows.map((one) => show(one))}</ul>}
    </section>
  );
}

interface PersonProps {
  visit: Booking;
  clinic: string;
  zone: string;
  now: number;
  since: number | undefined;
  refused: string | undefined;
  canMiss: boolean;
  /** A line of those that are over, instead of a card. */
  isRow: boolean;
  onSay: (what: Act) => Promise<void>;
}

function Person({ visit, clinic, zone, now, since, refused, canMiss, isRow, onSay }: PersonProps) {
  const { i18n } = useLingui();
  const [isBusy, setBusy] = useState(false);
  const say = async (what: Act) => {
    if (isBusy) return;
    setBusy(true);
    await onSay(what);
    setBusy(false);
  };
  const late = Math.floor((now - Date.parse(visit.start)) / 60_000);
  const waits = since === undefined ? undefined : Math.max(0, Math.floor((now - since) / 60_000));
  const { status } = visit;
  const name = `name-${visit.booking_id}`;
  const doing = (what: Act, words: ReactNode, tone = "") => (
    <button
      className={`button small ${tone}`}
      type="button"
      id={`${what}-${visit.booking_id}`}
      aria-labelledby={`${what}-${visit.booking_id} ${name}`}
      aria-disabled={isBusy}
      onClick={() => void say(what)}
    >
      {words}
    </button>
  );
  return (
    <li className={isRow ? "person-row" : "card person"} data-booking={visit.booking_id} data-status={status} tabIndex={-1}>
      <div className="row between">
        <strong id={name}>
          <PatientName id={visit.patient_id} />
        </strong>
        {isRow && <span className={status === "noshow" ? "chip warn" : "chip plain"}>{i18n._(statusName(visit))}</span>}
        <time dateTime={visit.start}>
          <bdi>{localOf(visit.start, zone).time}</bdi>
        </time>
      </div>
      {status === "arrived" && waits !== undefined && (
        <p className="quiet small">
          <Plural value={waits} _0="came just now" one="waits # minute" other="waits # minutes" />
        </p>
      )}
      {status === "booked" && late > 0 && (
        <p className="quiet small">
          <Plural value={late} one="# minute late" other="# minutes late" />
        </p>
      )}
      {!isRow && visit.resources !== undefined && <RoomsOfVisit visit={visit} clinic={clinic} zone={zone} />}
      {refused !== undefined && (
        <p className="small notice bad" role="alert">
          {refused}
        </p>
      )}
      <div className="row">
        {status === "arrived" && doing("complete", <Trans>Done</Trans>, "primary")}
        {status === "booked" && doing("check-in", <Trans>Here</Trans>)}
        {status === "noshow" && doing("check-in", <Trans>Here after all</Trans>)}
        {canMiss && doing("no-show", <Trans>Did not come</Trans>)}
        {status !== "booked" && doing("undo", <Trans>Undo</Trans>)}
      </div>
    </li>
  );
}

/**
 * Who is moved to another group takes the focus along: the button that was pressed is no longer
 * there, and the keyboard would begin at the top of the page again.
 */
function useFocusThatFollows(rows: readonly Booking[] | undefined) {
  const moved = useRef<Booking>(undefined);
  useEffect(() => {
    const before = moved.current;
    if (before === undefined) return;
    if (rows?.find((one) => one.booking_id === before.booking_id)?.status === before.status) return;
    moved.current = undefined;
    if (document.activeElement !== document.body) return;
    document.querySelector<HTMLElement>(`[data-booking="${before.booking_id}"]`)?.focus();
  }, [rows]);
  return (visit: Booking) => {
    moved.current = visit;
  };
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
