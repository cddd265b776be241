import type { MessageDescriptor } from "@lingui/core";
import { Trans, useLingui } from "@lingui/react/macro";
import type { Report, ReportGroup, ReportPeriod } from "./asking";
import { BY_NAMES, COLUMNS, nameOfLead, nameOfRow, write } from "./figures";

/** All figures as a table; shares of missed visits with the days between booking and visit. */
export function Rows({ report }: { report: Report }) {
  const { t } = useLingui();
  return (
    <>
      <Table report={report} period={report} title={t`Figures`} />
      {report.compared !== null && report.compared.rows.length > 0 && (
        <Table report={report} period={report.compared} title={t`Figures of the compared period`} />
      )}
    </>
  );
}

function Table({ report, period, title }: { report: Report; period: ReportPeriod; title: string }) {
  const { i18n } = useLingui();
  const translate = (it: MessageDescriptor) => i18n._(it);
  const columns = COLUMNS[report.measure];
  const mix = report.by === "lead" || report.by === "lead_fine" ? [] : period.total.lead_mix;
  const locale = i18n.locale;
  const cells = (group: ReportGroup) => (
    <>
      {columns.map((one, index) => (
        <td key={index}>{write(one.of(group), one.unit, locale, translate)}</td>
      ))}
      {mix.map(({ lead }) => {
        const found = group.lead_mix.find((one) => one.lead === lead);
        return (
          <td key={lead}>
            {write(found?.missed_percent, "percent", locale, translate)}{" "}
            <span className="quiet small">({write(found?.visits ?? 0, "count", locale, translate)})</span>
          </td>
        );
      })}
    </>
  );
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls: the keyboard must reach it
    <div className="card scroll scrolls" tabIndex={0} role="group" aria-label={title}>
      <table>
        <caption>{title}</caption>
        <thead>
          <tr>
            <th scope="col">{i18n._(BY_NAMES[report.by])}</th>
            {columns.map((one, index) => (
              <th key={index} scope="col">
                {i18n._(one.name)}
                {one.unit === "percent" && " %"}
              </th>
            ))}
            {mix.map(({ lead }) => (
              <th key={lead} scope="col">
                <Trans>missed, booked {nameOfLead(lead, translate)} before</Trans>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {period.rows.map((row) => (
            <tr key={row.key} data-key={row.key} data-turns={row.difference?.turns === true || undefined}>
              <th scope="row">
                <bdi>{nameOfRow(report.by, row, translate)}</bdi>
              </th>
              {cells(row)}
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">
              <Trans>All</Trans>
            </th>
            {cells(period.total)}
          </tr>
        </tfoot>
      </table>
    </div>
  );
}
