import { Trans } from "@lingui/react/macro";
import { useContextOfSession, useFollow } from "../app/shell";
import { Icon } from "../ui/icons";

/** The way to the addresses for calendar programs: for those who have visits of their own. */
export function FeedLink() {
  const follow = useFollow();
  const role = useContextOfSession()?.role;
  if (role !== "patient" && role !== "doctor") return null;
  return (
    <a className="button small" href="/me/feeds" onClick={follow}>
      <Icon name="visits" />
      <Trans>In my calendar program</Trans>
    </a>
  );
}
