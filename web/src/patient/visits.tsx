import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { answered, api, newKey, type Provider } from "../app/api";
import { refusalText } from "../app/refusals";
import { useContextOfSession, useFollow } from "../app/shell";
import { localOf, say } from "../app/time";
import type { Booking } from "../live/frames";
import { useBookings, useLive, useNow } from "../live/hooks";
import { Dialog } from "../ui/dialog";
import { download } from "./calendar";

/** One's own visits, live: what a clinic changes is here the moment it does. */
export function Visits() {
  const context = useContextOfSession();
  if (context === undefined) {
    return (
      <div className="card">
        <Trans>Please sign in to see your visits.</Trans>
      </div>
    );
  }
  return <Mine />;
}

function Mine() {
  const rows = useBookings("me");
  const now = useNow(false);
  const [cancelling, setCancelling] = useState<Booking>();
  if (rows === undefined) return <div className="card" aria-busy="true" />;
  const isAhead = (one: Booking) => one.status === "booked" && Date.parse(one.end) > now;
  const ahead = rows.filter(isAhead);
  const other = rows.filter((one) => !isAhead(one)).reverse();
  return (
    <div className="stack">
      <h1>
        <Trans>My visits</Trans>
      </h1>
      <h2>
        <Trans>Ahead</Trans>
      </h2>
      {ahead.length === 0 && (
        <p className="card">
          <Trans>You have no visit ahead.</Trans>
        </p>
      )}
      {ahead.map((one) => (
        <Visit key={one.booking_id} visit={one} onCancel={() => setCancelling(one)} />
      ))}
      {other.length > 0 && (
        <h2>
          <Trans>Earlier and cancelled</Trans>
        </h2>
      )}
      {other.map((one) => (
        <Visit key={one.booking_id} visit={one} />
      ))}
      {cancelling !== undefined && (
        <CancelDialog visit={cancelling} onClose={() => setCancelling(undefined)} />
      )}
    </div>
  );
}

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
  const zone = provider?.locations[0]?.time_zone ?? provider?.clinic.time_zone ?? "UTC";
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
        </div>
        <Status visit={visit} />
      </div>
      {visit.stranded === true && (
        <p className="notice">
          <Trans>The clinic has changed its hours. Please choose another time, or call the clinic.</Trans>
        </p>
      )}
      {onCancel !== undefined && (
        <div className="row">
          <button
            className="button"
            type="button"
            onClick={() =>
              void navigate({
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
          <button className="button danger" type="button" onClick={onCancel}>
            <Trans>Cancel visit</Trans>
          </button>
        </div>
      )}
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
    if (answer.status < 300) onClose();
    else setRefused(answer.code);
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
