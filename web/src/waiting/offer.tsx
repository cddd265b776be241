import "./waiting.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "../app/api";
import { useSending } from "../app/keys";
import { useContextOfSession, useFollow } from "../app/shell";
import { cityOf, HERE, localOf, say, sayStart } from "../app/time";
import { useBookings, useLink, useNow } from "../live/hooks";
import { Icon } from "../ui/icons";
import { Gate } from "../ui/gate";
import { speakOut } from "../ui/spoken";
import { answerRefusal, IS_OVER, WITHOUT_OLD } from "./refusals";
import { amount, clockOf, sayEnd, useOffers, useProvider, zoneOf, type Offer } from "./waiting";

/** Seconds left from which the countdown is coloured. */
const SOON = 120;

/** The page that notices of an offer lead to. */
export function OfferPage() {
  return (
    <Gate>
      <div className="stack medium">
        <h1>
          <Trans>A time for you</Trans>
        </h1>
        <Offers isPage />
      </div>
    </Gate>
  );
}

/** What is offered to the person now; what has ended while it was shown stays, and says so. */
export function Offers({ isPage = false }: { isPage?: boolean }) {
  const subject = useContextOfSession()?.subject;
  return <OffersOf key={subject} isPage={isPage} />;
}

function OffersOf({ isPage }: { isPage: boolean }) {
  const found = useOffers();
  const follow = useFollow();
  const [seen, setSeen] = useState<readonly Offer[]>([]);
  const items = found.data ?? [];
  const fresh = items.filter((one) => seen.every((known) => known.hold_id !== one.hold_id));
  if (fresh.length > 0) setSeen([...seen, ...fresh]);
  if (seen.length === 0 && !isPage) return null;
  if (found.isError && seen.length === 0) {
    return (
      <p className="notice bad" role="alert">
        <Trans>It could not be loaded whether something is offered to you.</Trans>{" "}
        <button className="button small" type="button" onClick={() => void found.refetch()}>
          <Trans>Try again</Trans>
        </button>
      </p>
    );
  }
  if (found.isPending) return <div className="card page-room" aria-busy="true" />;
  if (seen.length === 0 && fresh.length === 0) {
    return (
      <div className="card empty">
        <Icon name="hours" size={32} />
        <p>
          <Trans>Nothing is offered to you now. An offer that was not answered in time has gone to the next who waits.</Trans>
        </p>
        <p>
          <Trans>You keep your place on the list.</Trans>
        </p>
        <a className="button primary" href="/me/visits#waiting-list" onClick={follow}>
          <Trans>See my list</Trans>
        </a>
      </div>
    );
  }
  const now = new Map(items.map((one) => [one.hold_id, one]));
  return seen.map((one) => (
    <OfferCard key={one.hold_id} offer={now.get(one.hold_id) ?? one} isOpen={now.has(one.hold_id)} />
  ));
}

type Answered = { how: "declined" } | { how: "refused"; code: string };

function OfferCard({ offer, isOpen }: { offer: Offer; isOpen: boolean }) {
  const { t, i18n } = useLingui();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const link = useLink();
  const { isAsking, send } = useSending();
  const [answered, setAnswered] = useState<Answered>();
  const isDone = answered?.how === "declined" || (answered?.how === "refused" && IS_OVER.has(answered.code));
  const now = useNow(isOpen && !isDone);
  const provider = useProvider(offer.provider_id);
  const rows = useBookings("me");
  const old = rows?.find((one) => one.booking_id === offer.booking_id && one.status === "booked");
  /** The visit that it was to replace was cancelled, or has begun. */
  const isNew = offer.booking_id !== null && rows !== undefined && old === undefined;
  const from = useProvider(old?.provider_id);
  const zone = zoneOf(provider);
  const when = sayStart(offer.start, zone, now);
  const left = Math.max(0, Math.ceil((Date.parse(offer.expires_at) - now) / 1000));
  const isOver = !isOpen || isDone || left === 0;
  const path = { hold_id: offer.hold_id };
  const again = () => {
    void queries.invalidateQueries({ queryKey: ["waiting"] });
    void queries.invalidateQueries({ queryKey: ["offers"] });
  };
  const refuse = (code: string) => {
    setAnswered({ how: "refused", code });
    again();
  };
  const take = async (asNew: boolean) => {
    if (isAsking) return;
    setAnswered(undefined);
    const answer = await send({ asNew }, (key) => {
      const header = { "Idempotency-Key": key };
      return asNew
        ? api.POST("/v1/bookings", { params: { header }, body: { hold_id: offer.hold_id } })
        : api.POST("/v1/waiting/offers/{hold_id}/accept", { params: { path, header } });
    });
    if (answer === undefined) return;
    if (answer.error !== undefined) return refuse(answer.error.code ?? "");
    again();
    const { booking_id } = answer.data as { booking_id: string };
    await navigate({ to: "/me/visits", hash: booking_id });
    speakOut(offer.booking_id === null || asNew ? t`Booked.` : t`Moved.`);
  };
  const decline = async () => {
    if (isAsking) return;
    setAnswered(undefined);
    const answer = await send({ how: "decline" }, (key) =>
      api.POST("/v1/waiting/offers/{hold_id}/decline", { params: { path, header: { "Idempotency-Key": key } } }),
    );
    if (answer === undefined) return;
    if (answer.error !== undefined) return refuse(answer.error.code ?? "");
    setAnswered({ how: "declined" });
    again();
  };
  const heading = `offer-${offer.hold_id}`;
  const city = cityOf(zone);
  return (
    <section className={isOver ? "card offer over" : "card offer"} aria-labelledby={heading}>
      <div className="row between">
        <h2 id={heading}>
          {isOver ? (
            <Trans>
              <bdi>{when}</bdi> is no longer kept for you
            </Trans>
          ) : old === undefined ? (
            <Trans>A time you wait for is free</Trans>
          ) : (
            <Trans>Your visit can be earlier</Trans>
          )}
        </h2>
        {!isOver && (
          <span className={left <= SOON ? "left soon" : "left"}>
            <Trans>Kept for you</Trans>{" "}
            <strong role="timer" aria-live="off">
              <bdi>{clockOf(left)}</bdi>
            </strong>
          </span>
        )}
      </div>
      {answered?.how === "refused" && (
        <p className={IS_OVER.has(answered.code) ? "notice" : "notice bad"} role="alert">
          {i18n._(answerRefusal(answered.code))}
        </p>
      )}
      {isOver ? (
        answered === undefined ? (
          <p role="status">
            <Trans>Its end came, or it was answered elsewhere. What was not taken goes to the next who waits; you keep your place.</Trans>
          </p>
        ) : (
          answered.how === "declined" && (
            <p role="status">
              <Trans>Thank you: the next who waits is asked now. You keep your place for other times.</Trans>
            </p>
          )
        )
      ) : (
        <>
          <div className="trade">
            {old !== undefined && (
              <>
                <div className="side">
                  <small>
                    <Trans>Your visit now</Trans>
                  </small>
                  <strong>
                    <bdi>{sayStart(old.start, zoneOf(from), now)}</bdi>
                  </strong>
                  <span>
                    <bdi>{[from?.name, from?.clinic.name].filter(Boolean).join(", ")}</bdi>
                  </span>
                </div>
                <Icon name="on" />
              </>
            )}
            <div className={old === undefined ? "side offered alone" : "side offered"}>
              <small>
                <Trans>Offered to you</Trans>
                {old !== undefined && (
                  <>
                    {" · "}
                    <Sooner from={old.start} to={offer.start} />
                  </>
                )}
              </small>
              <strong>
                <bdi>{when}</bdi>
              </strong>
              <span>
                <bdi>{[provider?.name, provider?.clinic.name].filter(Boolean).join(", ")}</bdi>
              </span>
            </div>
          </div>
          {old !== undefined && old.provider_id !== offer.provider_id && (
            <p className="small">
              <Trans>
                Your visit with <bdi>{from?.name}</bdi> is cancelled as soon as this one is booked.
              </Trans>
            </p>
          )}
          {isNew && (
            <p className="notice">
              <Trans>The visit that it was to replace is no longer booked. You can take this time as a new visit.</Trans>
            </p>
          )}
          {HERE !== zone && (
            <p className="quiet small">
              <Trans>
                Times are in {city} time; <bdi>{localOf(offer.start, zone).time}</bdi> is{" "}
                <bdi>{say(offer.start, HERE, { timeStyle: "short" })}</bdi> on your clock.
              </Trans>
            </p>
          )}
          {link === "interrupted" && (
            <p className="notice" role="status">
              <Trans>You have no connection. The time stays kept for you until its end; answer as soon as you are back.</Trans>
            </p>
          )}
          <div className="row">
            <button className="button primary" type="button" aria-disabled={isAsking} onClick={() => void take(isNew)}>
              {isAsking ? (
                <Trans>One moment …</Trans>
              ) : old === undefined ? (
                <span>
                  <Trans>
                    Take it: <bdi>{when}</bdi>
                  </Trans>
                </span>
              ) : (
                <span>
                  <Trans>
                    Move my visit from <bdi>{sayStart(old.start, zoneOf(from), now)}</bdi> to <bdi>{when}</bdi>
                  </Trans>
                </span>
              )}
            </button>
            {!isNew && answered?.how === "refused" && WITHOUT_OLD.has(answered.code) && (
              <button className="button" type="button" aria-disabled={isAsking} onClick={() => void take(true)}>
                <Trans>Book it as a new visit</Trans>
              </button>
            )}
            <button className="button" type="button" aria-disabled={isAsking} onClick={() => void decline()}>
              <Trans>No, thanks</Trans>
            </button>
          </div>
          <p className="quiet small">
            <Trans>
              No other patient can take it until <bdi>{sayEnd(offer.expires_at, now)}</bdi>. Without an answer by then it is
              offered to the next, and nothing changes for you.
            </Trans>{" "}
            <Trans>After three offers that you decline, waiting is paused.</Trans>
          </p>
        </>
      )}
    </section>
  );
}

function Sooner({ from, to }: { from: string; to: string }) {
  const length = amount(Math.round((Date.parse(from) - Date.parse(to)) / 60_000));
  return <Trans>{length} sooner</Trans>;
}
