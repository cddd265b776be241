import { Trans, useLingui } from "@lingui/react/macro";
import { Outlet, useNavigate } from "@tanstack/react-router";
import { useState, useSyncExternalStore, type MouseEvent } from "react";
import { LOCALES, speak, type Locale } from "../i18n";
import { useLink, useLive } from "../live/hooks";
import { Dialog } from "../ui/dialog";
import { Spoken } from "../ui/spoken";
import { session } from "./session";

export function useContextOfSession() {
  return useSyncExternalStore(
    (tell) => session.watch(tell),
    () => session.context(),
  );
}

/** A plain anchor that the router follows: TanStack's Link costs too much in long lists. */
export function useFollow() {
  const navigate = useNavigate();
  return (event: MouseEvent<HTMLAnchorElement>) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    const { pathname, search } = new URL(event.currentTarget.href);
    void navigate({ href: pathname + search });
  };
}

export function Shell() {
  const [isAsking, setAsking] = useState(false);
  const context = useContextOfSession();
  const follow = useFollow();
  return (
    <>
      <a className="skip" href="#main">
        <Trans>Skip to the content</Trans>
      </a>
      <header className="bar">
        <a className="brand" href="/" onClick={follow}>
          Slotcast
        </a>
        <nav aria-label="Slotcast">
          {context?.role === "doctor" || context?.role === "staff" ? (
            <a href={`/desk/day/${context.subject}`} onClick={follow}>
              <Trans>My day</Trans>
            </a>
          ) : (
            <a href="/me/visits" onClick={follow}>
              <Trans>My visits</Trans>
            </a>
          )}
          <LinkState />
          <button className="button" type="button" onClick={() => setAsking(true)}>
            {context === undefined ? <Trans>Sign in</Trans> : <Trans>Account</Trans>}
          </button>
        </nav>
      </header>
      <main id="main" className="page" tabIndex={-1}>
        <Outlet />
      </main>
      <Spoken />
      {isAsking && <Account onClose={() => setAsking(false)} />}
    </>
  );
}

function LinkState() {
  const link = useLink();
  return (
    <span className="link-state" data-link={link} role="status">
      {link === "live" ? (
        <Trans>Live</Trans>
      ) : link === "connecting" ? (
        <Trans>Connecting</Trans>
      ) : (
        <Trans>Interrupted</Trans>
      )}
    </span>
  );
}

const PERSONAS = ["patient", "doctor"] as const;

function Account({ onClose }: { onClose: () => void }) {
  const { t, i18n } = useLingui();
  const live = useLive();
  const context = useContextOfSession();
  const [failed, setFailed] = useState(false);
  const enter = async (persona: string) => {
    setFailed(!(await session.enterDemo(persona)));
    if (session.context() !== undefined) onClose();
  };
  const leave = async () => {
    await session.leave();
    live.authenticate(undefined);
    onClose();
  };
  return (
    <Dialog title={context === undefined ? t`Sign in` : t`Account`} onClose={onClose}>
      {context === undefined ? (
        <>
          <p>
            <Trans>This is a demo site. Come in as one of these people:</Trans>
          </p>
          <div className="row">
            {PERSONAS.map((one) => (
              <button key={one} className="button" type="button" onClick={() => void enter(one)}>
                {one === "patient" ? <Trans>A patient</Trans> : <Trans>A doctor</Trans>}
              </button>
            ))}
          </div>
          {failed && (
            <p className="notice bad" role="alert">
              <Trans>That did not work. Please try again.</Trans>
            </p>
          )}
        </>
      ) : (
        <>
          <p>
            <Trans>Signed in as {context.name ?? context.subject}.</Trans>
          </p>
          <button className="button" type="button" onClick={() => void leave()}>
            <Trans>Sign out</Trans>
          </button>
        </>
      )}
      <div className="field">
        <label htmlFor="language">
          <Trans>Language</Trans>
        </label>
        <select
          id="language"
          className="input"
          value={i18n.locale}
          onChange={(event) => void speak(event.target.value as Locale)}
        >
          {Object.entries(LOCALES).map(([locale, name]) => (
            <option key={locale} value={locale}>
              {name}
            </option>
          ))}
        </select>
      </div>
      <button className="button" type="button" onClick={onClose}>
        <Trans>Close</Trans>
      </button>
    </Dialog>
  );
}
