import { Trans, useLingui } from "@lingui/react/macro";
import { useLocation } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { refusalText } from "../app/refusals";
import { useFollow } from "../app/shell";
import { say } from "../app/time";
import { useFreeStarts } from "../live/hooks";

const Needed = lazy(() => import("../resources/needed"));

interface Props {
  code: string | undefined;
  topic: string;
  zone: string;
  start: string;
  onTake: (start: string) => void;
}

/** Why a time could not be kept, and the way on: to sign in, or the nearest free times. */
export function RefusedTime(props: Props) {
  const { i18n } = useLingui();
  const { code, start } = props;
  const isGone = code === "slot_unavailable" || code === "slot_not_offered";
  return (
    <div className="notice bad stack" role="alert">
      <p>{i18n._(refusalText(code))}</p>
      {code === "unauthenticated" && <SignInFor start={start} />}
      {isGone && (
        <Suspense fallback={null}>
          <Needed topic={props.topic} />
        </Suspense>
      )}
      {isGone && <Nearest {...props} />}
    </div>
  );
}

/** The way in, and back to this time. */
function SignInFor({ start }: { start: string }) {
  const follow = useFollow();
  const here = useLocation({ select: (at) => at.href });
  const then = new URL(here, location.origin);
  then.searchParams.set("at", start);
  const href = `/login?then=${encodeURIComponent(then.pathname + then.search)}`;
  return (
    <a className="button small" href={href} onClick={follow}>
      <Trans>Sign in</Trans>
    </a>
  );
}

const NEAREST = 3;

/** The free times nearest to one that was taken, each a tap away. */
function Nearest({ topic, zone, start, onTake }: Props) {
  const starts = useFreeStarts(topic);
  const wanted = Date.parse(start);
  const away = (one: string) => Math.abs(Date.parse(one) - wanted);
  const nearest = [...starts].sort((a, b) => away(a) - away(b)).slice(0, NEAREST).sort();
  if (nearest.length === 0) return null;
  return (
    <div className="row">
      <span>
        <Trans>These are nearest:</Trans>
      </span>
      {nearest.map((one) => (
        <button key={one} className="button small" type="button" onClick={() => onTake(one)}>
          <bdi>{say(one, zone, { weekday: "short", hour: "2-digit", minute: "2-digit" })}</bdi>
        </button>
      ))}
    </div>
  );
}
