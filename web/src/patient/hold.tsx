import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import type { Provider } from "../app/api";
import { refusalText } from "../app/refusals";
import { session } from "../app/session";
import { HERE, localOf, say } from "../app/time";
import { useLive, useNow } from "../live/hooks";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";
import { book, extendHold, giveBack, noteReason } from "./confirming";
import { forgetHold, type Kept } from "./holding";

/** Seconds left at which a person who listens is told. */
const SPOKEN_AT = [60, 30, 10];
/** Seconds left from which the page asks whether more time is needed. */
const ASK_AT = 20;
/** What was typed for a provider: still there when another time is chosen. */
let draft = { provider: "", reason: "" };
const dropDraft = () => {
  draft = { provider: "", reason: "" };
};
session.onLeave(dropDraft);

interface Props {
  provider: Provider;
  zone: string;
  kept: Kept;
  moving: string | undefined;
}

/** Until when a visit can be cancelled or moved. */
function Policy({ provider, start, zone }: { provider: Provider; start: string; zone: string }) {
  const until = Date.parse(start) - provider.change_notice_minutes * 60_000;
  if (provider.change_notice_minutes === 0) {
    return <Trans>You can move or cancel it until it begins.</Trans>;
  }
  const words = say(until, zone, {
    weekday: "long",
    day: "numeric",
    month: "long",
    hour: "2-digit",
    minute: "2-digit",
  });
  return (
    <Trans>
      You can move or cancel it until <bdi>{words}</bdi>.
    </Trans>
  );
}

export function HoldDialog({ provider, zone, kept, moving }: Props) {
  const { t, i18n } = useLingui();
  const live = useLive();
  const navigate = useNavigate();
  const now = useNow();
  const [reason, setReason] = useState(
    () => kept.reason ?? (draft.provider === provider.provider_id ? draft.reason : ""),
  );
  const [isAsking, setAsking] = useState(false);
  const [refused, setRefused] = useState<string>();
  const { hold } = kept;
  const left = Math.max(0, Math.ceil((Date.parse(hold.expires_at) - now) / 1000));
  const spoken = useRef(Infinity);
  useEffect(() => {
    const due = SPOKEN_AT.find((at) => left <= at && spoken.current > at);
    if (due === undefined) return;
    spoken.current = due;
    speakOut(t`${due} seconds left to confirm`);
  }, [left, t]);
  const type = (text: string) => {
    setReason(text);
    noteReason(text);
  };
  const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  const confirm = async () => {
    if (isAsking) return;
    setAsking(true);
    setRefused(undefined);
    const answer = await book(live, reason.trim(), moving);
    setAsking(false);
    if (answer.status < 300) {
      dropDraft();
      const { booking_id } = answer.body as { booking_id: string };
      await navigate({ to: "/me/visits", hash: booking_id });
      speakOut(moving === undefined ? t`Booked.` : t`Moved.`);
    } else setRefused(answer.code);
  };
  const end = (give: () => void) => {
    draft = { provider: provider.provider_id, reason };
    give();
  };
  const back = () => end(() => void giveBack(live));
  const expired = () => end(forgetHold);
  const title = moving === undefined ? t`Confirm your visit` : t`Move your visit`;
  if (left === 0) {
    return (
      <Dialog title={t`We could not keep this time any longer`} onClose={expired}>
        <p>
          <Trans>It may still be free: choose it again, or another one. What you typed is kept.</Trans>
        </p>
        <button className="button primary" type="button" onClick={expired}>
          <Trans>Back to the times</Trans>
        </button>
      </Dialog>
    );
  }
  return (
    <Dialog title={title} onClose={back}>
      <div>
        <h3>
          <bdi>
            {say(hold.start, zone, { weekday: "long", day: "numeric", month: "long" })},{" "}
            {localOf(hold.start, zone).time}
          </bdi>
        </h3>
        <p className="quiet">
          <bdi>
            {provider.name}, {provider.clinic.name}
          </bdi>
          {HERE !== zone && (
            <>
              <br />
              <Trans>{localOf(hold.start, HERE).time} on your clock</Trans>
            </>
          )}
        </p>
      </div>
      <div className="kept">
        <span>
          {left <= ASK_AT ? <Trans>Do you need more time?</Trans> : <Trans>Kept for you</Trans>}{" "}
          <strong role="timer" aria-live="off">
            <bdi>{clock}</bdi>
          </strong>
        </span>
        {hold.extensions_left > 0 && (
          <button className="button" type="button" onClick={() => void extendHold(live)}>
            <Trans>More time</Trans>
          </button>
        )}
      </div>
      {moving === undefined && (
        <div className="field">
          <label htmlFor="reason">
            <Trans>Reason for the visit (optional)</Trans>
          </label>
          <span className="quiet small" id="reason-hint">
            <Trans>Only the clinic sees this.</Trans>
          </span>
          <textarea
            id="reason"
            className="input"
            rows={3}
            maxLength={500}
            aria-describedby="reason-hint"
            value={reason}
            onChange={(event) => type(event.target.value)}
          />
        </div>
      )}
      <p className="quiet small">
        <Policy provider={provider} start={hold.start} zone={zone} />
      </p>
      {refused !== undefined && (
        <p className="notice bad" role="alert">
          {i18n._(refusalText(refused))}
        </p>
      )}
      <div className="row">
        <button
          className="button primary"
          type="button"
          disabled={isAsking}
          onClick={() => void confirm()}
        >
          {isAsking ? (
            <Trans>One moment …</Trans>
          ) : moving === undefined ? (
            <Trans>Book</Trans>
          ) : (
            <Trans>Move it here</Trans>
          )}
        </button>
        <button className="button" type="button" onClick={back} disabled={isAsking}>
          <Trans>Give the time back</Trans>
        </button>
      </div>
    </Dialog>
  );
}
