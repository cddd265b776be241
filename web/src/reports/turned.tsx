import type { MessageDescriptor } from "@lingui/core";
import { Trans, useLingui } from "@lingui/react/macro";
import type { Report } from "./asking";
import { nameOfRow } from "./figures";

const SHOWN_MAX = 5;

/** Shares that say more about how long before visits were booked than about their row. */
export function Turned({ report }: { report: Report }) {
  const { i18n } = useLingui();
  const translate = (it: MessageDescriptor) => i18n._(it);
  const turned = report.rows.filter((row) => row.difference?.turns === true);
  if (turned.length === 0) return null;
  const points = (value: number | null | undefined) =>
    new Intl.NumberFormat(i18n.locale, { maximumFractionDigits: 1 }).format(Math.abs(value ?? 0));
  return (
    <div className="notice warn stack" role="note" data-turned={turned.length}>
      <h3>
        <Trans>Compare with care</Trans>
      </h3>
      <p>
        <Trans>
          Visits that were booked long before are missed more often. Compared with others that were booked as long before, these
          rows look different from what their share says:
        </Trans>
      </p>
      <ul>
        {turned.slice(0, SHOWN_MAX).map((row) => {
          const name = nameOfRow(report.by, row, translate);
          const counted = points(row.difference?.counted);
          const alike = points(row.difference?.same_leads);
          const isMore = (row.difference?.counted ?? 0) > 0;
          return (
            <li key={row.key}>
              {isMore ? (
                <Trans>
                  <bdi>{name}</bdi>: {counted} points more missed than others, but {alike} points fewer of visits booked as long before.
                </Trans>
              ) : (
                <Trans>
                  <bdi>{name}</bdi>: {counted} points fewer missed than others, but {alike} points more of visits booked as long before.
                </Trans>
              )}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
