import "./reviews.css";
import { useLingui } from "@lingui/react/macro";

const MOST = 5;

export const sayRating = (rating: number) => rating.toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 });

/** A rating as stars; it is read out as a number. */
export function Stars({ rating }: { rating: number }) {
  const { t } = useLingui();
  const full = Math.round(rating);
  const said = sayRating(rating);
  return (
    <span className="stars" role="img" aria-label={t`${said} of 5 stars`}>
      {"★".repeat(full)}
      <span className="none">{"☆".repeat(MOST - full)}</span>
    </span>
  );
}
