import { Trans, useLingui } from "@lingui/react/macro";
import { Refused } from "../app/api";
import { refusalText } from "../app/refusals";

/** Instead of what a page could not read, because the person did not prove who they are. */
export function Unproved({ error, onAgain }: { error: unknown; onAgain: () => unknown }) {
  const { i18n } = useLingui();
  if (!isUnproved(error)) return null;
  return (
    <div className="notice bad row between" role="alert">
      <span>{i18n._(refusalText(error.code))}</span>
      <button className="button small" type="button" onClick={onAgain}>
        <Trans>Try again</Trans>
      </button>
    </div>
  );
}

/** Whether a proof of identity is missing. */
export function isUnproved(error: unknown): error is Refused {
  return error instanceof Refused && /^(reauthentication|second_factor)_required$/.test(error.code);
}
