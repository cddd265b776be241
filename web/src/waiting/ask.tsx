import "./waiting.css";
import { Trans } from "@lingui/react/macro";
import { useLocation } from "@tanstack/react-router";
import { lazy, Suspense, useState, type ReactNode } from "react";
import type { Provider } from "../app/api";
import { useFollow } from "../app/shell";
import { enter } from "../i18n";
import type { Booking } from "../live/frames";
import { useCanWait, useProvider } from "./waiting";
import type { Target } from "./wish";

// Not shown before its sentences are here.
await Promise.all([enter("waiting"), enter("later")]);

const WishDialog = lazy(async () => ({ default: (await import("./wish")).WishDialog }));

/** Under a doctor's times: the way on where none of them suits. */
export function AskProvider({ provider }: { provider: Provider }) {
  const type = new URLSearchParams(useLocation({ select: (at) => at.searchStr })).get("type");
  if (useCanWait() === false) return null;
  return (
    <section className="card ask" aria-labelledby="ask">
      <div>
        <h2 id="ask">
          <Trans>No time that suits?</Trans>
        </h2>
        <p className="quiet small">
          <Trans>Visits are cancelled every day. Wait for one, and its time is kept for you before others see it.</Trans>
        </p>
      </div>
      <AskButton target={{ provider, ...(type === null ? {} : { visitType: type }) }}>
        <Trans>Tell me when something frees</Trans>
      </AskButton>
    </section>
  );
}

/** Beside the results of a specialty: any of its doctors will do. */
export function AskSpecialty({ specialty }: { specialty: string }) {
  if (useCanWait() === false) return null;
  return (
    <p className="row small">
      <AskButton target={{ specialty }} isSmall>
        <Trans>Tell me when something frees</Trans>
      </AskButton>
      <span className="quiet">
        <Trans>
          with any doctor for <bdi>{specialty}</bdi>
        </Trans>
      </span>
    </p>
  );
}

/** Beside a visit: an earlier time with the same doctor. */
export function AskEarlier({ visit }: { visit: Booking }) {
  const provider = useProvider(visit.provider_id);
  if (provider === undefined) return null;
  return (
    <AskButton target={{ provider, visit }}>
      <Trans>Earlier, please</Trans>
    </AskButton>
  );
}

function AskButton({ target, children, isSmall = false }: { target: Target; children: ReactNode; isSmall?: boolean }) {
  const [isOpen, setOpen] = useState(false);
  const follow = useFollow();
  const here = useLocation({ select: (at) => at.href });
  const look = isSmall ? "button small" : "button";
  if (useCanWait() !== true) {
    return (
      <a className={look} href={`/login?then=${encodeURIComponent(here)}`} onClick={follow}>
        {children}
      </a>
    );
  }
  return (
    <>
      <button className={look} type="button" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        {children}
      </button>
      {isOpen && (
        <Suspense fallback={null}>
          <WishDialog target={target} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}
