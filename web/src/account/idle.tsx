import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { session } from "../app/session";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";
import { enter } from "../i18n";

// Not shown before its sentences are here.
await enter("account");

/** Staff that do nothing for so long are signed out: patients' names stand on the screen. */
export const IDLE_MS = 15 * 60_000;
/** They are asked so long before. */
export const ASKED_MS = 60_000;

/** Signs idle staff out, after it asked whether they are still there. */
export default function IdleGuard() {
  const { t } = useLingui();
  const navigate = useNavigate();
  const [left, setLeft] = useState<number>();
  useEffect(() => {
    const look = () => {
      const rest = session.activeAt + IDLE_MS - Date.now();
      setLeft(rest <= ASKED_MS ? Math.max(0, Math.ceil(rest / 1000)) : undefined);
    };
    const timer = setInterval(look, 1_000);
    // A laptop that was asleep: what it shows is old enough at once.
    document.addEventListener("visibilitychange", look);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, []);
  useEffect(() => {
    if (left !== 0) return;
    void session.leave().then(() => navigate({ to: "/login", replace: true }));
  }, [left, navigate]);
  const isAsked = left !== undefined && left > 0;
  useEffect(() => {
    if (isAsked) speakOut(t`You will be signed out in a minute, unless you go on.`);
  }, [isAsked, t]);
  if (!isAsked) return null;
  const stay = () => {
    session.activeAt = Date.now();
    setLeft(undefined);
    void session.refresh();
  };
  return (
    <Dialog title={t`Are you still there?`} onClose={stay}>
      <p>
        <Trans>You will be signed out in {left} seconds, since patients' names are on this screen.</Trans>
      </p>
      <button className="button primary" type="button" onClick={stay}>
        <Trans>Go on working</Trans>
      </button>
    </Dialog>
  );
}
