import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";
import { ChooseWay } from "../account/chooseway";
import { FeedWay } from "../account/feedway";
import { answered, api, newKey, type Provider } from "../app/api";
import { refusalText } from "../app/refusals";
import { keepVisits, keptVisits, type KeptVisits } from "../app/offline";
import { useContextOfSession, useFollow, useIsReady } from "../app/shell";
import { cityOf, clock, HERE, localOf, say } from "../app/time";
import type { Booking } from "../live/frames";
import { enter } from "../i18n";
import { useBookings, useLink, useLive, useNow } from "../live/hooks";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { mayTake, WhereWay, whereOf } from "../resources/ways";
import { DocumentsWay } from "../documents/ways";
import { RepeatWay, SeriesAsk, SeriesWay } from "../series/ways";
import { PleaseSignIn } from "../ui/please";
import { speakOut } from "../ui/spoken";
import { download } from "./calendar";
import { patiently } from "../app/patiently";

const AskEarlier = lazy(patiently(async () => ({ default: (await import("../waiting/ask")).AskEarlier })));
const Together = lazy(
  patiently(async () => {
    const [found] = await Promise.all([import("./seats"), enter("account")]);
    return { default: found.Together };
  }),
);
const ReviewOfVisit = lazy(
  patiently(async () => {
    const [found] = await Promise.all([import("../reviews/own"), enter("reviews")]);
    return { default: found.ReviewOfVisit };
  }),
);
const MyWaiting = lazy(patiently(async () => ({ default: (await import("../waiting/mine")).MyWaiting })));
const Offers = lazy(patiently(async () => ({ default: (await import("../waiting/mine")).Offers })));

/** One's own visits, live: what a clinic changes is here the moment it does. */
export function Visits() {
  const context = useContextOfSession();
  const isReady = useIsReady();
  const kept = useKeptVisits();
  if (context !== undefined) return <Mine />;
  if (!isReady) return <div className="card page-room" aria-busy="true" />;
  if (kept !== undefined) return <AsOf kept={kept} />;
  return <PleaseSignIn />;
}

/** What this device knew, if it is the person's own. */
function useKeptVisits(): KeptVisits | undefined {
  const [found, setFound] = useState<KeptVisits>();
  useEffect(() => {
    void keptVisits().then(setFound);
  }, []);
  return found;
}

function Mine() {
  const rows = useBookings("me");
  const link = useLink();
  const kept = useKeptVisits();
  const queries = useQueryClient();
  useEffect(() => {
    if (rows === undefined || link !== "live") return;
    const timer = setTimeout(() => {
      const providers: Record<string, Provider> = {};
      const rooms: KeptVisits["rooms"] = [];
      for (const visit of rows) {
        const id = visit.provider_id;
        const known = queries.getQueryData<Provider>(["provider", id]);
        if (known !== undefined) providers[id] = known;
        const where = queries.getQueryData(whereOf(visit));
        if (where !== undefined) rooms.push([whereOf(visit), where]);
      }
      void keepVisits({ at: Date.now(), rows, providers, rooms });
    }, KEPT_AFTER_MS);
    return () => clearTimeout(timer);
  }, [rows, link, queries]);
  if (rows !== undefined) return <List rows={rows} isOld={link !== "live"} />;
  if (kept !== undefined && link === "interrupted") return <AsOf kept={kept} />;
  return <div className="card page-room" aria-busy="true" />;
}

/** Visits as they were last known here: nothing can be done with them now. */
function AsOf({ kept }: { kept: KeptVisits }) {
  const queries = useQueryClient();
  useEffect(() => {
    for (const [id, provider] of Object.entries(kept.providers)) {
      queries.setQueryData(["provider", id], provider, { updatedAt: 1 });
    }
    for (const [name, where] of kept.rooms ?? []) queries.setQueryData(name, where, { updatedAt: 1 });
  }, [kept, queries]);
  const at = say(kept.at, HERE, { dateStyle: "medium", timeStyle: "short" });
  return (
    <div className="stack">
      <p className="notice" role="status">
        <Trans>
          You have no connection. This is what we knew on <bdi>{at}</bdi>.
        </Trans>
      </p>
      <List rows={kept.rows} isOld />
    </div>
  );
}

/** Names come a moment after the visits: what is kept has them too. */
const KEPT_AFTER_MS = 1_000;

function List({ rows, isOld }: { rows: readonly Booking[]; isOld: boolean }) {
  const now = useNow(false);
  const follow = useFollow();
  const [cancelling, setCancelling] = useState<Booking>();
  const isAhead = (one: Booking) => one.status === "booked" && Date.parse(one.end) > now;
  const ahead = rows.filter(isAhead);
  const other = rows.filter((one) => !isAhead(one)).reverse();
  const hash = useLocation({ select: (at) => at.hash });
  const fresh = ahead.find((one) => one.booking_id === hash);
  return (
    <div className="stack visits">
      <div className="row between">
        <h1>
          <Trans>My visits</Trans>
        </h1>
        {!isOld && (
          <Suspense fallback={null}>
            <FeedWay />
          </Suspense>
        )}
      </div>
      {fresh !== undefined && <Confirmed visit={fresh} />}
      {!isOld && (
        <Suspense fallback={null}>
          <Offers />
        </Suspense>
      )}
      <h2>
        <Trans>Ahead</Trans>
      </h2>
      {ahead.length === 0 && (
        <div className="card empty">
          <Icon name="visits" size={32} />
          <p>
            <Trans>You have no visit ahead.</Trans>
          </p>
          <a className="button primary" href="/" onClick={follow}>
            <Trans>Find a time</Trans>
          </a>
        </div>
      )}
      {ahead.map((one) => (
        <Visit key={one.booking_id} visit={one} {...(isOld ? {} : { onCancel: () => setCancelling(one) })} />
      ))}
      {!isOld && (
        <Suspense fallback={null}>
          <MyWaiting />
        </Suspense>
      )}
      {other.length > 0 && (
        <h2>
          <Trans>Earlier and cancelled</Trans>
        </h2>
      )}
      {other.map((one) => (
        <Visit key={one.booking_id} visit={one} />
      ))}
      {cancelling?.series_id !== undefined ? (
        <Suspense fallback={null}>
          <SeriesAsk
            name={cancelling.series_id}
            first={cancelling.series_number ?? 1}
            initially="cancel"
            onClose={() => setCancelling(undefined)}
          />
        </Suspense>
      ) : (
        cancelling !== undefined && <CancelDialog visit={cancelling} onClose={() => setCancelling(undefined)} />
      )}
    </div>
  );
}

/** What was booked or moved just now, and what happens next. */
function Confirmed({ visit }: { visit: Booking }) {
  const zone = zoneOf(useProvider(visit.provider_id));
  const day = say(visit.start, zone, { weekday: "long", day: "numeric", month: "long" });
  const { time } = localOf(visit.start, zone);
  return (
    <div className="notice good confirmed" role="status">
      <Icon name="check" size={28} />
      <div>
        <p>
          <strong>
            <Trans>
              Booked: <bdi>{day}, {time}</bdi>, {cityOf(zone)} time.
            </Trans>
          </strong>
          <br />
          <Trans>The clinic knows already. Put it into your calendar, and come a few minutes early.</Trans>
        </p>
        <Rooms visit={visit} />
      </div>
    </div>
  );
}

function Rooms({ visit }: { visit: Booking }) {
  const provider = useProvider(visit.provider_id);
  if (!mayTake(visit, provider)) return null;
  return (
    <Suspense fallback={null}>
      <WhereWay visit={visit} />
    </Suspense>
  );
}

const zoneOf = (provider: Provider | undefined) =>
  provider?.locations[0]?.time_zone ?? provider?.clinic.time_zone ?? "UTC";

function useProvider(id: string): Provider | undefined {
  return useQuery({
    queryKey: ["provider", id],
    queryFn: async () =>
      answered(await api.GET("/v1/providers/{provider_id}", { params: { path: { provider_id: id } } })),
  }).data;
}

function Visit({ visit, onCancel }: { visit: Booking; onCancel?: () => void }) {
  const provider = useProvider(visit.provider_id);
  const navigate = useNavigate();
  const follow = useFollow();
  const zone = zoneOf(provider);
  const [isMoving, setMoving] = useState(false);
  const title = provider?.visit_types.find((one) => one.visit_type === visit.visit_type)?.title;
  return (
    <article className="card stack" id={visit.booking_id}>
      <div className="row between">
        <div>
          <h3>
            <bdi>
              {say(visit.start, zone, { weekday: "long", day: "numeric", month: "long", year: "numeric" })}
              , {localOf(visit.start, zone).time}
            </bdi>
          </h3>
          <p className="quiet">
            <a href={`/p/${visit.provider_id}`} onClick={follow}>
              <bdi>{provider?.name ?? visit.provider_id}</bdi>
            </a>
            {title !== undefined && <> · {title}</>}
            {provider !== undefined && <> · {provider.clinic.name}</>}
          </p>
          {HERE !== zone && clock() === "both" && (
            <p className="quiet small">
              <Trans>{localOf(visit.start, HERE).time} on your clock</Trans>
            </p>
          )}
        </div>
        <Status visit={visit} />
      </div>
      {(visit.status === "booked" || visit.status === "arrived") && <Rooms visit={visit} />}
      {visit.seat !== undefined && (
        <Suspense fallback={null}>
          <Together />
        </Suspense>
      )}
      {visit.series_id !== undefined && (
        <div>
          <Suspense fallback={null}>
            <SeriesWay series={visit.series_id} number={visit.series_number ?? 1} count={visit.series_count ?? 1} />
            {isMoving && (
              <SeriesAsk
                name={visit.series_id}
                first={visit.series_number ?? 1}
                initially="move"
                onClose={() => setMoving(false)}
              />
            )}
          </Suspense>
        </div>
      )}
      {visit.status === "fulfilled" && (
        <Suspense fallback={null}>
          <ReviewOfVisit booking={visit.booking_id} end={visit.end} />
        </Suspense>
      )}
      {!!visit.stranded && (
        <Suspense fallback={null}>
          <ChooseWay booking={visit.booking_id} />
        </Suspense>
      )}
      {onCancel !== undefined && (
        <div className="row">
          <button
            className="button"
            type="button"
            onClick={() =>
              visit.series_id !== undefined ? setMoving(true) : void navigate({
                to: "/p/$provider",
                params: { provider: visit.provider_id },
                search: { type: visit.visit_type, moving: visit.booking_id },
              })
            }
          >
            <Trans>Move</Trans>
          </button>
          <button
            className="button"
            type="button"
            onClick={() =>
              download({
                id: visit.booking_id,
                start: visit.start,
                end: visit.end,
                title: [title, provider?.name].filter(Boolean).join(", "),
                place: [provider?.clinic.name, provider?.clinic.address, provider?.clinic.city]
                  .filter(Boolean)
                  .join(", "),
              })
            }
          >
            <Trans>Add to calendar</Trans>
          </button>
          {provider !== undefined && (
            <Suspense fallback={null}>
              <RepeatWay provider={provider} zone={zone} type={visit.visit_type} start={visit.start} />
            </Suspense>
          )}
          <Suspense fallback={null}>
            <AskEarlier visit={visit} />
          </Suspense>
          <button className="button danger" type="button" onClick={onCancel}>
            <Trans>Cancel visit</Trans>
          </button>
        </div>
      )}
      <div>
        <Suspense fallback={null}>
          <DocumentsWay booking={visit.booking_id} />
        </Suspense>
      </div>
    </article>
  );
}

function Status({ visit }: { visit: Booking }) {
  switch (visit.status) {
    case "booked":
      return (
        <span className="chip">
          <Trans>Booked</Trans>
        </span>
      );
    case "arrived":
      return (
        <span className="chip">
          <Trans>Arrived</Trans>
        </span>
      );
    case "fulfilled":
      return (
        <span className="chip plain">
          <Trans>Done</Trans>
        </span>
      );
    case "noshow":
      return (
        <span className="chip warn">
          <Trans>Missed</Trans>
        </span>
      );
    default:
      return (
        <span className="chip plain">
          <Trans>Cancelled</Trans>
        </span>
      );
  }
}

function CancelDialog({ visit, onClose }: { visit: Booking; onClose: () => void }) {
  const { t, i18n } = useLingui();
  const live = useLive();
  const [key] = useState(newKey);
  const [isAsking, setAsking] = useState(false);
  const [refused, setRefused] = useState<string>();
  const cancel = async () => {
    setAsking(true);
    const answer = await live.command("cancel", { booking_id: visit.booking_id }, key);
    setAsking(false);
    if (answer.status < 300) {
      speakOut(t`Cancelled`);
      onClose();
    } else setRefused(answer.code);
  };
  return (
    <Dialog title={t`Cancel this visit?`} onClose={onClose}>
      <p>
        <Trans>The time becomes free for others at once.</Trans>
      </p>
      {refused !== undefined && (
        <p className="notice bad" role="alert">
          {i18n._(refusalText(refused))}
        </p>
      )}
      <div className="row">
        <button className="button danger" type="button" disabled={isAsking} onClick={() => void cancel()}>
          <Trans>Cancel visit</Trans>
        </button>
        <button className="button" type="button" onClick={onClose}>
          <Trans>Keep it</Trans>
        </button>
      </div>
    </Dialog>
  );
}
