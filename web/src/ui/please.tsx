import { Trans } from "@lingui/react/macro";
import { useLocation } from "@tanstack/react-router";
import { useFollow } from "../app/shell";
import { Icon } from "./icons";

/** Instead of a page that needs a person: the way in, and back here. */
export function PleaseSignIn() {
  const follow = useFollow();
  const here = useLocation({ select: (at) => at.href });
  return (
    <div className="card empty">
      <Icon name="person" size={32} />
      <h1>
        <Trans>Please sign in</Trans>
      </h1>
      <p>
        <Trans>This page shows what is yours alone.</Trans>
      </p>
      <a className="button primary" href={`/login?then=${encodeURIComponent(here)}`} onClick={follow}>
        <Trans>Sign in</Trans>
      </a>
    </div>
  );
}
