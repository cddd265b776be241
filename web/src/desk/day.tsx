import { Trans, useLingui } from "@lingui/react/macro";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import type { Provider } from "../app/api";
import { addDays, localOf, mondayOf, sayDay, sayStart, today } from "../app/time";
import type { Booking } from "../live/frames";
import { useBookings } from "../live/hooks";
import { enter } from "../i18n";
import { DocumentsWay } from "../documents/ways";
import { SeriesWay } from "../series/ways";
import { Icon } from "../ui/icons";
import { speakOut } from "../ui/spoken";
import { BookDialog } from "./book";
import { Desk } from "./desk";
import { PatientName } from "./names";
import { inOrder } from "./lanes";
import { MoveDialog } from "./move";
import { useOutcomes } from "./outcome";
import { visitRefusal } from "./refusals";
import { Toast } from "./toast";
import { move, statusName, useFresh, useMinutes, zoneOf, type Act, type Fresh } from "./visit";
import { WeekView } from "./week";

const OverbookButton = lazy(async () => ({ default: (await import("./overbook")).OverbookButton }));
const RoomsOfVisit = lazy(async () => ({ default: (await import("./rooms")).RoomsOfVisit }));
const Sharing = lazy(async () => ({ default: (await import("./session")).Sharing }));
const route = getRouteApi("/desk/day/$provider");
const Unplaced = lazy(async () => {
  const [{ Unplaced: found }] = await Promise.all([import("./unplaced"), enter("account")]);
  return { default: found };
});

/** A doctor's day or week, live: new, moved and cancelled visits appear as they happen. */
export function DayPage() {
  const { provider } = route.useParams();
  return <Desk provider={provider}>{(found) => <Days provider={found} />}</Desk>;
}

/** What both views can do with a visit. */
export interface Doing {
  onAct: (visit: Booking, what: Act) => void;
  onMove: (visit: Booking, start: string) => void;
  onPick: (visit: Booking) => void;
  titles: ReadonlyMap<string, string>;
  clinic: string;
  zone: string;
}

function Days({ provider }: { provider: Provider }) {
  const { t, i18n } = useLingui();
  const search = route.useSearch();
  const navigate = useNavigate();
  const rows = useBookings(`schedule/${provider.provider_id}`);
  const fresh = useFresh(rows);
  const { told, setTold, onAct, onRefused, onEnd } = useOutcomes();
  const [picked, setPicked] = useState<Booking>();
  const [isBooking, setBooking] = useState(false);
  const zone = zoneOf(provider);
  const date = search.date ?? today(zone);
  const isWeek = search.view === "week";
  const go = (next: { date?: string; view?: string }) =>
    void navigate({
      to: "/desk/day/$provider",
      params: { provider: provider.provider_id },
      search: (before) => ({ ...before, ...next }),
      replace: true,
    });
  const onMove = async (visit: Booking, start: string) => {
    const code = await move(visit, start);
    if (code !== undefined) return onRefused(i18n._(visitRefusal(code, visit.resources !== undefined)));
    const when = sayStart(start, zone);
    speakOut(t`Moved to ${when}.`);
    setTold({
      text: <Trans>Moved to {when}.</Trans>,
      action: { name: <Trans>Undo</Trans>, run: () => void onMove({ ...visit, start }, visit.start) },
    });
  };
  const doing: Doing = {
    onAct: (visit, what) => void onAct(visit, what).then(onRefused),
    onMove: (visit, start) => void onMove(visit, start),
    onPick: setPicked,
    clinic: provider.clinic.clinic_id,
    titles: new Map(provider.visit_types.map((one) => [one.visit_type, one.title])),
    zone,
  };
  const step = isWeek ? 7 : 1;
  const monday = mondayOf(date);
  const span = { day: "numeric", month: "short" } as const;
  return (
    <div className="stack desk">
      <div className="row between">
        <div>
          <h1>
            {isWeek ? (
              <bdi>
                {sayDay(monday, span)} – {sayDay(addDays(monday, 6), span)}
              </bdi>
            ) : (
              sayDay(date, { weekday: "long", day: "numeric", month: "long" })
            )}
          </h1>
          <p className="quiet">
            <bdi>{provider.name}</bdi>
          </p>
        </div>
        <div className="row">
          <div className="segments" role="group" aria-label={t`View`}>
            <button type="button" aria-pressed={!isWeek} onClick={() => go({ view: "day" })}>
              <Trans>Day</Trans>
            </button>
            <button type="button" aria-pressed={isWeek} onClick={() => go({ view: "week" })}>
              <Trans>Week</Trans>
            </button>
          </div>
          <div className="row" role="group" aria-label={isWeek ? t`Week` : t`Day`}>
            <button
              className="button turn"
              type="button"
              aria-label={isWeek ? t`Week before` : t`Day before`}
              onClick={() => go({ date: addDays(date, -step) })}
            >
              <Icon name="back" />
            </button>
            <button className="button" type="button" onClick={() => go({ date: today(zone) })}>
              <Trans>Today</Trans>
            </button>
            <button
              className="button turn"
              type="button"
              aria-label={isWeek ? t`Week after` : t`Day after`}
              onClick={() => go({ date: addDays(date, step) })}
            >
              <Icon name="on" />
            </button>
          </div>
          {!provider.suspended && (
            <>
              <Suspense fallback={null}>
                <OverbookButton provider={provider} date={date} />
              </Suspense>
              <button className="button primary" type="button" onClick={() => setBooking(true)}>
                <Trans>Book for a patient</Trans>
              </button>
            </>
          )}
        </div>
      </div>
      <Suspense fallback={null}>
        <Unplaced provider={provider.provider_id} />
      </Suspense>
      {rows === undefined ? (
        <div className="card page-room" aria-busy="true" />
      ) : isWeek ? (
        <WeekView rows={rows} monday={monday} fresh={fresh} doing={doing} />
      ) : (
        <DayView rows={rows} date={date} fresh={fresh} doing={doing} />
      )}
      {picked !== undefined && (
        <MoveDialog visit={picked} doing={doing} onClose={() => setPicked(undefined)} />
      )}
      {isBooking && <BookDialog provider={provider} date={date} onClose={() => setBooking(false)} />}
      <Toast told={told} onEnd={onEnd} />
    </div>
  );
}

interface View {
  rows: readonly Booking[];
  fresh: Fresh;
  doing: Doing;
}

function DayView({ rows, date, fresh, doing }: View & { date: string }) {
  const { zone } = doing;
  const now = useMinutes();
  const shown = rows
    .filter(
      (one) => localOf(one.start, zone).date === date && (one.status !== "cancelled" || fresh.has(one.booking_id)),
    )
    .sort(inOrder);
  const isToday = date === today(zone, now);
  const next = isToday ? shown.find((one) => Date.parse(one.end) > now)?.booking_id : undefined;
  return (
    <>
      {shown.length === 0 && (
        <p className="card empty">
          <Icon name="visits" size={32} />
          <Trans>No visits on this day.</Trans>
        </p>
      )}
      <ol className="day">
        {shown.map((one) => (
          <Row key={one.booking_id} visit={one} rows={rows} mark={fresh.get(one.booking_id)} doing={doing} isNext={one.booking_id === next} />
        ))}
      </ol>
    </>
  );
}

function Row(props: { visit: Booking; rows: readonly Booking[]; mark: string | undefined; doing: Doing; isNext: boolean }) {
  const { visit, rows, mark, doing, isNext } = props;
  const { i18n } = useLingui();
  const { clinic, zone, titles, onAct, onPick } = doing;
  return (
    <li className="visit" data-status={visit.status} data-fresh={mark !== undefined} data-next={isNext}>
      <time dateTime={visit.start}>
        <bdi>
          {localOf(visit.start, zone).time}–{localOf(visit.end, zone).time}
        </bdi>
      </time>
      <div>
        <strong>
          <PatientName id={visit.patient_id} />
        </strong>{" "}
        <span className="quiet">{titles.get(visit.visit_type) ?? visit.visit_type}</span>{" "}
        {visit.status !== "cancelled" && (visit.lane ?? visit.seat) !== undefined && (
          <Suspense fallback={null}>
            <Sharing visit={visit} rows={rows} title={titles.get(visit.visit_type) ?? visit.visit_type} zone={zone} />
          </Suspense>
        )}
        {visit.status !== "cancelled" && visit.resources !== undefined && (
          <Suspense fallback={null}>
            <RoomsOfVisit visit={visit} clinic={clinic} zone={zone} />
          </Suspense>
        )}
        {visit.reason !== undefined && visit.reason !== "" && (
          <p className="small">
            <bdi>{visit.reason}</bdi>
          </p>
        )}
        {visit.series_id !== undefined && (
          <Suspense fallback={null}>
            <SeriesWay series={visit.series_id} number={visit.series_number ?? 1} count={visit.series_count ?? 1} />
          </Suspense>
        )}
        <Suspense fallback={null}>
          <DocumentsWay booking={visit.booking_id} isSmall />
        </Suspense>
        {!!visit.stranded && (
          <p className="small chip warn">
            <Trans>outside the opening hours</Trans>
          </p>
        )}
      </div>
      <span className="row">
        {mark !== undefined && (
          <span className="chip warn">
            {visit.status === "cancelled" ? (
              <Trans>Cancelled just now</Trans>
            ) : mark === "moved" ? (
              <Trans>Moved</Trans>
            ) : mark === "new" ? (
              <Trans>New</Trans>
            ) : (
              <Trans>Changed</Trans>
            )}
          </span>
        )}
        {visit.status !== "booked" && visit.status !== "cancelled" && (
          <span className={visit.status === "noshow" ? "chip warn" : "chip plain"}>{i18n._(statusName(visit))}</span>
        )}
        {visit.status === "booked" && (
          <>
            <button className="button small" type="button" onClick={() => onAct(visit, "check-in")}>
              <Trans>Here</Trans>
            </button>
            <button className="button small" type="button" onClick={() => onAct(visit, "no-show")}>
              <Trans>Did not come</Trans>
            </button>
            <button className="button small" type="button" onClick={() => onPick(visit)}>
              <Trans>Move to …</Trans>
            </button>
          </>
        )}
        {visit.status === "arrived" && (
          <button className="button small primary" type="button" onClick={() => onAct(visit, "complete")}>
            <Trans>Done</Trans>
          </button>
        )}
        {(visit.status === "fulfilled" || visit.status === "noshow" || visit.status === "arrived") && (
          <button className="button small" type="button" onClick={() => onAct(visit, "undo")}>
            <Trans>Undo</Trans>
          </button>
        )}
      </span>
    </li>
  );
}
