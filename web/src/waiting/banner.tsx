import "./waiting.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { useLocation } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useFollow } from "../app/shell";
import { sayStart } from "../app/time";
import { enter } from "../i18n";
import { useNow } from "../live/hooks";
import { speakOut } from "../ui/spoken";
import { clockOf, sayEnd, useOffers, useProvider, zoneOf, type Offer } from "./waiting";

// Not shown before its sentences are here.
await enter("waiting");

/** Pages that show the offer themselves. */
const SHOWN_AT = ["/me/visits", "/me/offer"];
const SPOKEN_AT = [300, 60];

/** On any page: a time is offered, with its countdown. Loaded when there is one. */
export default function OfferBanner() {
  const offers = useOffers().data ?? [];
  const path = useLocation({ select: (at) => at.pathname });
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const offer = offers.find((one) => !hidden.has(one.hold_id));
  if (offer === undefined) return null;
  return (
    <Banner
      key={offer.hold_id}
      offer={offer}
      isSeen={SHOWN_AT.includes(path)}
      onHide={() => setHidden(new Set([...hidden, offer.hold_id]))}
    />
  );
}

function Banner({ offer, isSeen, onHide }: { offer: Offer; isSeen: boolean; onHide: () => void }) {
  const { t } = useLingui();
  const follow = useFollow();
  const now = useNow();
  const provider = useProvider(offer.provider_id);
  const left = Math.max(0, Math.ceil((Date.parse(offer.expires_at) - now) / 1000));
  const when = provider && sayStart(offer.start, zoneOf(provider), now);
  const isKnown = when !== undefined;
  const until = sayEnd(offer.expires_at, now);
  useEffect(() => {
    // Once its words are here; the countdown is not read out each second.
    if (isKnown) speakOut(t`A time you wait for is free: ${when}. It is kept for you until ${until}.`);
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [isKnown, offer.hold_id]);
  const due = SPOKEN_AT.findLast((at) => left <= at);
  useEffect(() => {
    if (due !== undefined && left > 0) speakOut(due === 60 ? t`One minute left to answer the offer.` : t`Five minutes left to answer the offer.`);
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [due]);
  if (isSeen || left === 0 || !isKnown) return null;
  return (
    <aside className="offer-banner" aria-label={t`An offer for you`}>
      <p>
        <strong>
          {offer.booking_id === null ? (
            <Trans>
              A time you wait for is free: <bdi>{when}</bdi>
            </Trans>
          ) : (
            <Trans>
              Your visit can be earlier: <bdi>{when}</bdi>
            </Trans>
          )}
        </strong>
        <br />
        <span className="small">
          <bdi>{provider?.name}</bdi> · <Trans>Kept for you</Trans>{" "}
          <strong role="timer" aria-live="off">
            <bdi>{clockOf(left)}</bdi>
          </strong>
        </span>
      </p>
      <div className="row">
        <a className="button primary small" href="/me/offer" onClick={follow}>
          <Trans>See it</Trans>
        </a>
        <button className="button small" type="button" onClick={onHide}>
          <Trans>Later</Trans>
        </button>
      </div>
    </aside>
  );
}
