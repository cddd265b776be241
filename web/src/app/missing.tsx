import { Trans } from "@lingui/react/macro";
import { Icon } from "../ui/icons";

/** Instead of a page whose code or data did not come. */
export function NotLoaded() {
  return (
    <div className="card empty" role="alert">
      <Icon name="bolt" size={32} />
      <h1>
        <Trans>This page could not be loaded. Please try again.</Trans>
      </h1>
      <button className="button primary" type="button" onClick={() => location.reload()}>
        <Trans>Try again</Trans>
      </button>
    </div>
  );
}

/** Instead of a page that there is not. */
export function NotFound() {
  return (
    <div className="card empty">
      <Icon name="search" size={32} />
      <h1>
        <Trans>There is no such page.</Trans>
      </h1>
      <a className="button primary" href="/">
        <Trans>Find a time</Trans>
      </a>
    </div>
  );
}
