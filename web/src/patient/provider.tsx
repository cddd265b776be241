import "./slots.css";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { lazy, memo, startTransition, Suspense, useCallback, useEffect, useRef, useState } from "react";
import { answered, api, type Provider } from "../app/api";
import { session } from "../app/session";
import { useContextOfSession } from "../app/shell";
import { addDays, cityOf, HERE, isoWeek, localOf, mondayOf, say, sayDay, today } from "../app/time";
import { useFreeCount, useLink, useLive, useSoonest, useStarts } from "../live/hooks";
import { enter } from "../i18n";
import { Icon } from "../ui/icons";
import { Face } from "./result";
import { placeHold, useKept } from "./holding";
import { longDay, Slot, useByDay, WeekGrid, type Grid } from "./week";
import { patiently } from "../app/patiently";

const route = getRouteApi("/p/$provider");
/** What a tap or a change may show: here before a person taps, and not needed for the first paint. */
const answers = () =>
  Promise.all([import("./hold"), import("./refused"), import("./changes"), enter("later")]);
const HoldDialog = lazy(async () => ({ default: (await answers())[0].HoldDialog }));
const About = lazy(patiently(() => import("./about")));
const RefusedTime = lazy(async () => ({ default: (await answers())[1].RefusedTime }));

export function ProviderPage() {
  const { provider } = route.useParams();
  const found = useQuery({
    queryKey: ["provider", provider],
    queryFn: async () =>
      answered(
        await api.GET("/v1/providers/{provider_id}", { params: { path: { provider_id: provider } } }),
      ),
  });
  if (found.isError) {
    return (
      <p className="notice bad" role="alert">
        <Trans>This page could not be loaded. Please try again.</Trans>
      </p>
    );
  }
  if (found.data === undefined) return <div className="card page-room" aria-busy="true" />;
  return <Times provider={found.data} />;
}

function Times({ provider }: { provider: Provider }) {
  const { t } = useLingui();
  const { type: wanted, week: given, view: chosen, moving, at } = route.useSearch();
  const navigate = useNavigate();
  const live = useLive();
  const link = useLink();
  const context = useContextOfSession();
  const kept = useKept();
  const [refused, setRefused] = useState<{ code: string | undefined; start: string }>();
  const isAsking = useRef(false);
  const zone = provider.locations[0]?.time_zone ?? provider.clinic.time_zone;
  const type =
    provider.visit_types.find((one) => one.visit_type === wanted) ?? provider.visit_types[0];
  const soonest = type?.next_free ?? undefined;
  const monday = given ?? mondayOf(today(zone, soonest === undefined ? undefined : Date.parse(soonest)));
  const [isNarrow, setNarrow] = useState(() => matchMedia("(width < 640px)").matches);
  useEffect(() => {
    const query = matchMedia("(width < 640px)");
    const turn = () => setNarrow(query.matches);
    query.addEventListener("change", turn);
    return () => query.removeEventListener("change", turn);
  }, []);
  const take = async (start: string) => {
    if (type === undefined || isAsking.current || kept?.hold.start === start) return;
    isAsking.current = true;
    // Times are shown before it is known who is here: a quick click waits for that.
    await session.known();
    const answer =
      session.context() === undefined
        ? { status: 401, code: "unauthenticated" }
        : await placeHold(live, provider.provider_id, type.visit_type, start, moving);
    isAsking.current = false;
    setRefused(answer.status < 300 ? undefined : { code: answer.code, start });
  };
  // The same function for every slot and every time: another one would render all of them.
  const latest = useRef(take);
  useEffect(() => {
    latest.current = take;
  });
  const onTake = useCallback((start: string) => void latest.current(start), []);
  const view = chosen ?? (isNarrow ? "list" : "week");
  if (type === undefined) {
    return (
      <p className="card">
        <Trans>There is nothing to book here just now.</Trans>
      </p>
    );
  }
  const topic = `slots/${provider.provider_id}/${type.visit_type}/${isoWeek(monday)}`;
  const go = (search: Record<string, string | undefined>) =>
    void navigate({
      to: "/p/$provider",
      params: { provider: provider.provider_id },
      search: (before) => dropEmpty({ ...before, ...search }),
      replace: true,
      resetScroll: false,
    });
  // A tab that was put aside may have been left by one person and be opened by another.
  const isMine = kept?.hold.patient_id === context?.subject;
  const isHere = isMine && kept?.hold.provider_id === provider.provider_id;
  return (
    <div className="stack">
      <div className="row who">
        <Face name={provider.name} photo={provider.photo} />
        <div>
          <h1>
            <bdi>{provider.name}</bdi>
          </h1>
          <p className="quiet">
            <bdi>
              {[provider.specialty, provider.clinic.name, provider.clinic.address, provider.clinic.city]
                .filter(Boolean)
                .join(", ")}
            </bdi>
          </p>
        </div>
      </div>
      {moving !== undefined && (
        <p className="notice">
          <Trans>Choose the new time for your visit. It stays booked until you confirm.</Trans>
        </p>
      )}
      <div className="row between ends">
        <div className="row ends">
          <div className="field">
            <label htmlFor="type">
              <Trans>Visit</Trans>
            </label>
            <select
              id="type"
              className="input"
              value={type.visit_type}
              disabled={moving !== undefined}
              onChange={(event) => go({ type: event.target.value })}
            >
              {provider.visit_types.map((one) => (
                <option key={one.visit_type} value={one.visit_type}>
                  {one.title}, {t`${one.minutes} min`}
                </option>
              ))}
            </select>
          </div>
          <WeekPager monday={monday} onTurn={(week) => startTransition(() => go({ week }))} />
        </div>
        <FreeTimes topic={topic} />
      </div>
      <p className="quiet small">
        {HERE === zone ? (
          <Trans>Times are in {cityOf(zone)} time.</Trans>
        ) : (
          <Trans>
            Times are in {cityOf(zone)} time ({zone}). Yours is {HERE}.
          </Trans>
        )}
      </p>
      <div className="segments" role="group" aria-label={t`View`}>
        {(["week", "list"] as const).map((one) => (
          <button key={one} type="button" aria-pressed={view === one} onClick={() => go({ view: one })}>
            {one === "week" ? <Trans>Week</Trans> : <Trans>List</Trans>}
          </button>
        ))}
      </div>
      {link === "interrupted" && (
        <p className="notice" role="status">
          <Trans>
            Live is interrupted. Times you see may be old, so they cannot be chosen. We reconnect by
            ourselves.
          </Trans>
        </p>
      )}
      {refused !== undefined && (
        <Suspense fallback={null}>
          <RefusedTime
            key={refused.start}
            {...refused}
            topic={topic}
            zone={zone}
            onTake={onTake}
          />
        </Suspense>
      )}
      <Calendar
        topic={topic}
        zone={zone}
        monday={monday}
        view={view}
        mine={isHere ? kept?.hold.start : undefined}
        onTake={onTake}
        soonest={soonest}
        onSoonest={(week) => go({ week })}
        at={at}
      />
      <Suspense fallback={null}>
        <About provider={provider} />
      </Suspense>
      {isHere && kept !== undefined && (
        <Suspense fallback={null}>
          <HoldDialog provider={provider} zone={zone} kept={kept} moving={moving} />
        </Suspense>
      )}
    </div>
  );
}

function dropEmpty(search: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(search).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}

function WeekPager({ monday, onTurn }: { monday: string; onTurn: (week: string) => void }) {
  const { t } = useLingui();
  const options = { day: "numeric", month: "short" } as const;
  return (
    <div className="row" role="group" aria-label={t`Week`}>
      <button
        className="button turn"
        type="button"
        aria-label={t`Earlier week`}
        onClick={() => onTurn(addDays(monday, -7))}
      >
        <Icon name="back" />
      </button>
      <strong>
        <bdi>
          {sayDay(monday, options)} – {sayDay(addDays(monday, 6), options)}
        </bdi>
      </strong>
      <button
        className="button turn"
        type="button"
        aria-label={t`Later week`}
        onClick={() => onTurn(addDays(monday, 7))}
      >
        <Icon name="on" />
      </button>
    </div>
  );
}

function FreeTimes({ topic }: { topic: string }) {
  const free = useFreeCount([topic]);
  if (free === undefined) return null;
  return (
    <span className={free > 0 ? "chip" : "chip plain"}>
      <Plural value={free} one="# free time" other="# free times" />
    </span>
  );
}

/** The times of a week, and a way on where none is free. */
export function Calendar(props: {
  topic: string;
  zone: string;
  monday: string;
  view: "week" | "list";
  mine: string | undefined;
  onTake: (start: string) => void;
  soonest: string | undefined;
  onSoonest: (week: string) => void;
  at: string | undefined;
}) {
  const starts = useStarts(props.topic);
  const isFull = useSoonest(props.topic, 1) === "";
  if (starts === undefined) return <div className="card page-room" aria-busy="true" />;
  const week = props.soonest && mondayOf(today(props.zone, Date.parse(props.soonest)));
  const isElsewhere = week !== undefined && week !== "" && week !== props.monday;
  return (
    <>
      {(starts.length === 0 || isFull) && (
        <div className="card stack" role="status">
          <p>
            <Trans>No free time in this week.</Trans>
          </p>
          {isElsewhere && props.soonest !== undefined && (
            <button className="button" type="button" onClick={() => props.onSoonest(week)}>
              <Trans>
                Go to the soonest:{" "}
                {say(props.soonest, props.zone, { weekday: "long", day: "numeric", month: "long" })}
              </Trans>
            </button>
          )}
        </div>
      )}
      {starts.length > 0 && <Shown {...props} starts={starts} />}
    </>
  );
}

function Shown(props: {
  topic: string;
  zone: string;
  monday: string;
  view: "week" | "list";
  mine: string | undefined;
  onTake: (start: string) => void;
  starts: readonly string[];
  at: string | undefined;
}) {
  const { at } = props;
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const left = new AbortController();
    void answers().then(
      ([, , { watchChanges }]) => watchChanges(box, left.signal),
      () => undefined,
    );
    return () => left.abort();
  }, []);
  useEffect(() => {
    // A time that was chosen in the list of providers: the person goes on from it.
    if (at !== undefined) document.querySelector<HTMLElement>(`.slot[data-start="${CSS.escape(at)}"]`)?.focus();
  }, [at]);
  const grid = {
    topic: props.topic,
    zone: props.zone,
    monday: props.monday,
    starts: props.starts,
    mine: props.mine,
    onTake: props.onTake,
    at,
  };
  return <div ref={box}>{props.view === "week" ? <WeekGrid {...grid} /> : <DayList key={grid.topic} {...grid} />}</div>;
}

/** The same times under days, for phones and for people who read from top to bottom. */
const DayList = memo(function DayList(grid: Grid & { at: string | undefined }) {
  const { t } = useLingui();
  const found = useByDay(grid.starts, grid.zone);
  const days = Array.from({ length: 7 }, (_, index) => addDays(grid.monday, index));
  const first = days.find((day) => (found.get(day) ?? []).length > 0) ?? grid.monday;
  const live = useLive();
  const [picked, setPicked] = useState(() => {
    // It opens on a day with a free time, and stays there when that time is taken.
    const from = grid.at ?? live.freeOf(grid.topic);
    return from && localOf(from, grid.zone).date;
  });
  const day = picked !== undefined && days.includes(picked) ? picked : first;
  return (
    <div className="stack">
      <div className="days" role="group" aria-label={t`Day`}>
        {days.map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={one === day}
            onClick={() => setPicked(one)}
          >
            {sayDay(one, { weekday: "short" })}
            <br />
            <strong>{Number(one.slice(8))}</strong>
          </button>
        ))}
      </div>
      <h2>{longDay(day)}</h2>
      <div className="times">
        {(found.get(day) ?? []).map(({ start, time }) => (
          <Slot
            key={start}
            topic={grid.topic}
            start={start}
            time={time}
            day={longDay(day)}
            isMine={start === grid.mine}
            onTake={grid.onTake}
          />
        ))}
      </div>
    </div>
  );
});
