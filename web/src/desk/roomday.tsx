import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { answered, api, type Provider } from "../app/api";
import { useFollow } from "../app/shell";
import { addDays, localOf, sayDay, today } from "../app/time";
import type { Booking } from "../live/frames";
import { useBookings, useLive } from "../live/hooks";
import { Icon } from "../ui/icons";
import { PatientName } from "./names";
import { Tags, ToRooms, type OfRoomProps } from "./ofroom";
import { useRules, type Day, type Place } from "./rules";
import { statusName, useFresh, useMinutes } from "./visit";

const route = getRouteApi("/desk/room/$room/$view");

/** Who is in a room when, or has a device: live, as the visits are booked, moved and cancelled. */
export function RoomDay({ room, clinic }: OfRoomProps) {
  const { t } = useLingui();
  const navigate = useNavigate();
  const follow = useFollow();
  const topic = `schedule/${room.resource_id}`;
  const rows = useBookings(topic);
  const refused = useRefusal(topic);
  const zone = clinic.time_zone;
  const { date: given = "" } = route.useSearch();
  const date = /^\d{4}-\d\d-\d\d$/.test(given) ? given : today(zone);
  const go = (next: string) =>
    void navigate({
      to: "/desk/room/$room/$view",
      params: { room: room.resource_id, view: "day" },
      search: { date: next },
      replace: true,
    });
  return (
    <div className="stack desk">
      <div>
        <ToRooms />
        <div className="row between">
          <div>
            <h1>
              <bdi>{room.name}</bdi>
            </h1>
            <p className="quiet row">
              <span>{sayDay(date, { weekday: "long", day: "numeric", month: "long" })}</span>
              <Tags tags={room.tags} />
              {room.retired && (
                <span className="chip warn">
                  <Trans>retired</Trans>
                </span>
              )}
            </p>
          </div>
          <div className="row" role="group" aria-label={t`Day`}>
            <button className="button turn" type="button" aria-label={t`Day before`} onClick={() => go(addDays(date, -1))}>
              <Icon name="back" />
            </button>
            <button className="button" type="button" onClick={() => go(today(zone))}>
              <Trans>Today</Trans>
            </button>
            <button className="button turn" type="button" aria-label={t`Day after`} onClick={() => go(addDays(date, 1))}>
              <Icon name="on" />
            </button>
            <a className="button" href={`/desk/room/${room.resource_id}/hours`} onClick={follow}>
              <Trans>Hours</Trans>
            </a>
          </div>
        </div>
      </div>
      <OpenHours id={room.resource_id} date={date} />
      {refused !== undefined ? (
        <p className="notice bad" role="alert">
          <Trans>The days of rooms are read by the clinic’s reception and administration.</Trans>
        </p>
      ) : rows === undefined ? (
        <div className="card page-room" aria-busy="true" />
      ) : (
        <Visits rows={rows} date={date} zone={zone} />
      )}
    </div>
  );
}

/** Why a topic is not sent, if it is not. */
function useRefusal(topic: string): string | undefined {
  const live = useLive();
  return useSyncExternalStore(
    useCallback((tell) => live.watch(topic, tell), [live, topic]),
    () => live.refusal(topic),
  );
}

/** When the room is open on a day. */
function OpenHours({ id, date }: { id: string; date: string }) {
  const found = useRules(id).data;
  if (found === undefined) return null;
  const open = found.rules.locations.flatMap((place) => hoursOn(place, date));
  return (
    <p className="quiet">
      {open.length === 0 ? (
        <Trans>Closed on this day.</Trans>
      ) : (
        <Trans>
          Open <bdi>{open.map(({ opens, closes }) => `${opens}–${closes}`).join(", ")}</bdi>
        </Trans>
      )}
    </p>
  );
}

const WEEK: Day[] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

function hoursOn(place: Place, date: string) {
  const day = WEEK[(new Date(`${date}T12:00:00Z`).getUTCDay() + 6) % 7]!;
  return place.exceptions?.[date] ?? place.weekly[day] ?? [];
}

/** The visits of some providers as their own calendars have them, by id. */
function useVisitsOf(providers: readonly string[]): ReadonlyMap<string, Booking> {
  const live = useLive();
  const joined = providers.join(" ");
  const [found, setFound] = useState<ReadonlyMap<string, Booking>>(new Map());
  useEffect(() => {
    const topics = joined === "" ? [] : joined.split(" ").map((one) => `schedule/${one}`);
    const read = () => setFound(new Map(topics.flatMap((one) => [...(live.view(one)?.bookings ?? [])])));
    const ends = topics.map((one) => live.watch(one, read));
    read();
    return () => ends.forEach((end) => end());
  }, [live, joined]);
  return found;
}

function Visits({ rows, date, zone }: { rows: readonly Booking[]; date: string; zone: string }) {
  const fresh = useFresh(rows);
  const now = useMinutes();
  const shown = rows.filter(
    (one) => localOf(one.start, zone).date === date && (one.status !== "cancelled" || fresh.has(one.booking_id)),
  );
  const providers = new Set(shown.flatMap((one) => one.visit_provider_id ?? []));
  const visits = useVisitsOf([...providers].sort());
  const isHere = (one: Booking) => Date.parse(one.start) <= now && now < Date.parse(one.end);
  return (
    <>
      {shown.length === 0 && (
        <p className="card empty">
          <Icon name="clinic" size={32} />
          <Trans>No visit has it on this day.</Trans>
        </p>
      )}
      <ol className="day">
        {shown.map((one) => (
          <Row
            key={one.booking_id}
            part={one}
            visit={one.visit === undefined ? undefined : visits.get(one.visit)}
            isFresh={fresh.has(one.booking_id)}
            isNow={one.status !== "cancelled" && isHere(one)}
            zone={zone}
            date={date}
          />
        ))}
      </ol>
    </>
  );
}

interface RowProps {
  /** The room's own booking. */
  part: Booking;
  /** The visit that it is for, once its provider's schedule is here. */
  visit: Booking | undefined;
  isFresh: boolean;
  isNow: boolean;
  zone: string;
  date: string;
}

function Row({ part, visit, isFresh, isNow, zone, date }: RowProps) {
  const { i18n } = useLingui();
  const follow = useFollow();
  const provider = useProvider(part.visit_provider_id);
  const kind = provider?.visit_types.find((one) => one.visit_type === visit?.visit_type);
  const isOver = part.status === "cancelled";
  return (
    <li className="visit" data-status={isOver ? "cancelled" : (visit?.status ?? part.status)} data-fresh={isFresh} data-next={isNow}>
      <time dateTime={part.start}>
        <bdi>
          {localOf(part.start, zone).time}–{localOf(part.end, zone).time}
        </bdi>
      </time>
      <div>
        <strong>
          <PatientName id={visit?.patient_id} without="…" />
        </strong>{" "}
        <span className="quiet">{kind?.title ?? visit?.visit_type}</span>
        <p className="small">
          <a href={`/desk/day/${part.visit_provider_id}?date=${date}`} onClick={follow}>
            <bdi>{provider?.name ?? "…"}</bdi>
          </a>
        </p>
        {!!part.stranded && (
          <p className="small chip warn">
            <Trans>outside the opening hours</Trans>
          </p>
        )}
      </div>
      <span className="row">
        {isFresh && (
          <span className="chip warn">
            {!isOver ? (
              <Trans>New</Trans>
            ) : visit !== undefined && visit.status !== "cancelled" ? (
              <Trans>Moved away</Trans>
            ) : (
              <Trans>Cancelled just now</Trans>
            )}
          </span>
        )}
        {isNow && (
          <span className="chip">
            <Trans>now</Trans>
          </span>
        )}
        {!isOver && visit !== undefined && visit.status !== "booked" && visit.status !== "cancelled" && (
          <span className={visit.status === "noshow" ? "chip warn" : "chip plain"}>{i18n._(statusName(visit))}</span>
        )}
      </span>
    </li>
  );
}

function useProvider(id: string | undefined): Provider | undefined {
  return useQuery({
    queryKey: ["provider", id],
    enabled: id !== undefined,
    queryFn: async () =>
      answered(await api.GET("/v1/providers/{provider_id}", { params: { path: { provider_id: id! } } })),
  }).data;
}
