import "./reviews.css";
import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { answered, api, type Schemas } from "../app/api";
import { useSending } from "../app/keys";
import { useNow } from "../live/hooks";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";
import { reviewRefusal } from "./refusals";
import { Stars } from "./stars";

type Own = Schemas["OwnReviewAnswer"];

const DAY_MS = 86_400_000;
/** As long as the server takes a review. */
const WITHIN_DAYS = 90;

const STATE: Record<Own["state"], MessageDescriptor> = {
  pending: msg`Thank you. It is published once it has been looked at.`,
  published: msg`Published, without your name.`,
  hidden: msg`Not published:`,
};

/** Under a visit that took place: what its patient says of it, and what became of that. */
export function ReviewOfVisit({ booking, end }: { booking: string; end: string }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  const [refused, setRefused] = useState<string>();
  const { isAsking, send } = useSending();
  const now = useNow(false);
  const params = { path: { booking_id: booking } };
  const queryKey = ["review", booking];
  const found = useQuery({
    queryKey,
    retry: 1,
    queryFn: async (): Promise<Own | null> => {
      const answer = await api.GET("/v1/bookings/{booking_id}/review", { params });
      if (answer.response.status === 404) return null;
      return answered(answer);
    },
  });
  const isRecent = now - Date.parse(end) < WITHIN_DAYS * DAY_MS;
  if (found.data === undefined) return null;
  const own = found.data;
  if (own === null) {
    if (!isRecent) return null;
    return (
      <div>
        <button className="button" type="button" aria-haspopup="dialog" onClick={() => setOpen(true)}>
          <Trans>How was it?</Trans>
        </button>
        {isOpen && (
          <WriteDialog
            booking={booking}
            onClose={() => setOpen(false)}
            onWritten={(made) => {
              setOpen(false);
              queries.setQueryData(queryKey, made);
              speakOut(i18n._(STATE.pending));
            }}
          />
        )}
      </div>
    );
  }
  const withdraw = async () => {
    const answer = await send({ booking }, () => api.DELETE("/v1/bookings/{booking_id}/review", { params }));
    if (answer === undefined) return;
    if (answer.response.status < 300 || answer.response.status === 404) {
      setRefused(undefined);
      queries.setQueryData(queryKey, null);
      speakOut(t`Your review is gone.`);
    } else setRefused(i18n._(reviewRefusal(answer.error?.code)));
  };
  return (
    <section className="stack" aria-label={t`Your review`}>
      <div>
        <Stars rating={own.rating} />
        {own.text !== "" && (
          <p className="lines">
            <bdi>{own.text}</bdi>
          </p>
        )}
        <p className="quiet small">
          {i18n._(STATE[own.state])} {own.state === "hidden" && <bdi>{own.reason}</bdi>}
        </p>
        {own.reply !== "" && (
          <p className="small">
            <strong>
              <Trans>The clinic's answer:</Trans>
            </strong>{" "}
            <bdi>{own.reply}</bdi>
          </p>
        )}
      </div>
      {refused !== undefined && (
        <p className="notice bad" role="alert">
          {refused}
        </p>
      )}
      <div>
        <button className="button small" type="button" disabled={isAsking} onClick={() => void withdraw()}>
          <Trans>Take it back</Trans>
        </button>
      </div>
    </section>
  );
}

interface Writing {
  booking: string;
  onClose: () => void;
  onWritten: (made: Own) => void;
}

function WriteDialog({ booking, onClose, onWritten }: Writing) {
  const { t, i18n } = useLingui();
  const { isAsking, send } = useSending();
  const [rating, setRating] = useState<number>();
  const [text, setText] = useState("");
  const [refused, setRefused] = useState<string>();
  const write = async (event: FormEvent) => {
    event.preventDefault();
    if (rating === undefined) return setRefused(t`Choose one to five stars first.`);
    const body = { rating, text };
    const answer = await send(body, (key) =>
      api.POST("/v1/bookings/{booking_id}/review", {
        params: { path: { booking_id: booking }, header: { "Idempotency-Key": key } },
        body,
      }),
    );
    if (answer === undefined) return;
    if (answer.data === undefined) return setRefused(i18n._(reviewRefusal(answer.error?.code)));
    onWritten(answer.data as Own);
  };
  return (
    <Dialog title={t`How was your visit?`} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void write(event)}>
        <fieldset className="rating-choice">
          <legend>
            <Trans>Stars</Trans>
          </legend>
          <div className="row">
            {[1, 2, 3, 4, 5].map((one) => (
              <label key={one}>
                <input type="radio" name="rating" checked={rating === one} onChange={() => setRating(one)} />
                {one} <span aria-hidden="true">★</span>
              </label>
            ))}
          </div>
        </fieldset>
        <div className="field">
          <label htmlFor="review-text">
            <Trans>What others should know (optional)</Trans>
          </label>
          <textarea
            id="review-text"
            className="input"
            rows={5}
            maxLength={2000}
            value={text}
            dir="auto"
            onChange={(event) => setText(event.target.value)}
          />
        </div>
        <p className="quiet small">
          <Trans>
            Your name is not shown, and of the day only the month. Write nothing about your health, and no names: your words are public.
          </Trans>
        </p>
        {refused !== undefined && (
          <p className="notice bad" role="alert">
            {refused}
          </p>
        )}
        <div className="row">
          <button className="button primary" type="submit" disabled={isAsking}>
            <Trans>Send</Trans>
          </button>
          <button className="button" type="button" onClick={onClose}>
            <Trans>Not now</Trans>
          </button>
        </div>
      </form>
    </Dialog>
  );
}
