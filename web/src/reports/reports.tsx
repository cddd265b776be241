import "./reports.css";
import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { answered, api, Refused } from "../app/api";
import { refusalText } from "../app/refusals";
import { useFollow } from "../app/shell";
import { HERE, say, sayDay, today } from "../app/time";
import { Gate } from "../ui/gate";
import { PleaseSignIn } from "../ui/please";
import { speakOut } from "../ui/spoken";
import { isUnproved, Unproved } from "../ui/unproved";
import { aligned } from "./aligned";
import { addressOf, askedOf, paramsOf, readFile, readReport, type Asked, type Report } from "./asking";
import { Builder } from "./builder";
import { Columns, type Bar } from "./chart";
import { BY_NAMES, COLUMNS, MEASURE_NAMES, nameOfRow, write } from "./figures";
import { Rows } from "./rows";
import { Turned } from "./turned";

/** The reports of a clinic; an operator reads those of the platform. */
export function ReportsPage() {
  return (
    <Gate>
      {({ role, subject, clinic_id }) => {
        if (role === "admin") return <Reports clinic={undefined} />;
        const id = clinic_id ?? (role === "clinic_admin" || role === "staff" ? subject : undefined);
        return id === undefined || id === null ? <PleaseSignIn /> : <Reports clinic={id} />;
      }}
    </Gate>
  );
}

/** What only a report can be refused with. */
const SAID: Record<string, MessageDescriptor> = {
  report_too_large: msg`This takes too long to count. Choose a shorter period, or ask by something else.`,
  unavailable: msg`Many reports are being made, or the data cannot be reached. Try again in a moment.`,
};

const words = (error: unknown): MessageDescriptor => {
  const code = error instanceof Refused ? error.code : undefined;
  return SAID[code ?? ""] ?? refusalText(code);
};

function Reports({ clinic }: { clinic: string | undefined }) {
  const { i18n } = useLingui();
  const follow = useFollow();
  const navigate = useNavigate();
  const search = useLocation({ select: (at) => at.searchStr });
  const asked = askedOf(new URLSearchParams(search), today(HERE));
  const doctors = useDoctorsOf(clinic);
  const found = useQuery({
    queryKey: ["report", clinic, paramsOf(asked).toString()],
    retry: false,
    queryFn: () => readReport(clinic, asked),
    placeholderData: (before) => before,
  });
  const change = (next: Asked) => void navigate({ href: addressOf(next), replace: true });
  return (
    <div className="stack reports">
      <div className="row between">
        <h1>
          <Trans>Reports</Trans>
        </h1>
        <a className="button small" href="/clinic" onClick={follow}>
          {clinic === undefined ? <Trans>All clinics</Trans> : <Trans>The clinic</Trans>}
        </a>
      </div>
      <Builder asked={asked} doctors={doctors} hasPlaces={clinic === undefined} onChange={change} />
      <Unproved error={found.error} onAgain={() => found.refetch()} />
      {found.isError && !isUnproved(found.error) && (
        <p className="notice bad" role="alert">
          {i18n._(words(found.error))}
        </p>
      )}
      {found.data === undefined && found.isPending && <div className="card page-room" aria-busy="true" />}
      {found.data !== undefined && !found.isError && (
        <Shown report={found.data} clinic={clinic} asked={asked} isBusy={found.isPlaceholderData} />
      )}
    </div>
  );
}

/** All of a clinic's calendars: a filter. */
function useDoctorsOf(clinic: string | undefined) {
  const found = useQuery({
    queryKey: ["report doctors", clinic],
    enabled: clinic !== undefined,
    retry: false,
    queryFn: async () =>
      answered(
        await api.GET("/v1/clinics/{clinic_id}/calendars", {
          params: { path: { clinic_id: clinic! }, query: { limit: 50 } },
        }),
      ).items,
  });
  return found.data ?? [];
}

function Shown({ report, clinic, asked, isBusy }: { report: Report; clinic: string | undefined; asked: Asked; isBusy: boolean }) {
  const { i18n, t } = useLingui();
  const translate = (it: MessageDescriptor) => i18n._(it);
  const shown = COLUMNS[report.measure][0]!;
  const sayValue = (value: number | null | undefined) => write(value, shown.unit, i18n.locale, translate);
  const title = i18n._(MEASURE_NAMES[report.measure]);
  const by = i18n._(BY_NAMES[report.by]);
  const period = (it: { first: string; last: string }) =>
    `${sayDay(it.first, { dateStyle: "medium" })} – ${sayDay(it.last, { dateStyle: "medium" })}`;
  const bars: Bar[] = aligned(report, asked.weekdays).map(({ key, row, before }) => {
    const value = row && shown.of(row);
    const name = nameOfRow(report.by, row ?? { key, label: "" }, translate);
    return { name, value, before: before && shown.of(before), shown: sayValue(value) };
  });
  const total = sayValue(shown.of(report.total));
  return (
    <section className="stack" aria-labelledby="report" aria-busy={isBusy}>
      <div className="card stack">
        <div className="row between">
          <div>
            <h2 id="report">{report.by === "all" ? title : t`${title} by ${by}`}</h2>
            <p className="quiet">
              {period(report)}
              {report.compared !== null && <> · {t`compared with ${period(report.compared)}`}</>}
            </p>
          </div>
          <Files clinic={clinic} asked={asked} />
        </div>
        <p className="headline" role="status">
          <strong>{total}</strong>{" "}
          <span>
            {i18n._(shown.name)}
            {report.compared !== null && <> · {t`before: ${sayValue(shown.of(report.compared.total))}`}</>}
          </span>
        </p>
        {report.rows.length === 0 ? (
          <p className="empty">
            <Trans>Nothing was counted in this period.</Trans>
          </p>
        ) : (
          report.by !== "all" && <Columns bars={bars} most={total} says={(value) => sayValue(value)} />
        )}
        <Notes report={report} />
      </div>
      <Turned report={report} />
      {report.rows.length > 0 && <Rows report={report} />}
    </section>
  );
}

function Notes({ report }: { report: Report }) {
  const after = report.left_out;
  const cut = report.cut;
  return (
    <>
      {after > 0 && (
        <p className="quiet small">
          <Trans>Left out: {after} visits that were booked after their day, an error of the data.</Trans>
        </p>
      )}
      {cut > 0 && (
        <p className="quiet small">
          <Trans>{cut} more rows with fewer visits are not shown; they are in the total.</Trans>
        </p>
      )}
      {report.measure === "utilisation" && (
        <p className="quiet small">
          {report.total.open_minutes === null ? (
            <Trans>The open time is known only of one clinic at a time, without filters by kind of visit or booking.</Trans>
          ) : (
            <Trans>The open time is that of today's hours: former hours are not kept.</Trans>
          )}
        </p>
      )}
      <p className="quiet small">
        <Trans>Counted {say(report.as_of, HERE, { dateStyle: "medium", timeStyle: "short" })}</Trans>
      </p>
    </>
  );
}

/** The same as a table for other programs. */
function Files({ clinic, asked }: { clinic: string | undefined; asked: Asked }) {
  const { t, i18n } = useLingui();
  const [wrong, setWrong] = useState<string>();
  const [isBusy, setIsBusy] = useState(false);
  const save = async (format: "csv" | "xlsx") => {
    if (isBusy) return;
    setIsBusy(true);
    setWrong(undefined);
    try {
      const { name, content } = await readFile(clinic, asked, format);
      const address = URL.createObjectURL(content);
      const link = Object.assign(document.createElement("a"), { href: address, download: name });
      document.body.append(link);
      link.click();
      link.remove();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
      speakOut(t`The file is saved.`);
    } catch (error) {
      setWrong(i18n._(words(error)));
    } finally {
      setIsBusy(false);
    }
  };
  return (
    <div className="stack">
      <div className="row">
        {(["csv", "xlsx"] as const).map((format) => (
          <button key={format} type="button" className="button small" aria-disabled={isBusy} onClick={() => void save(format)}>
            {format === "csv" ? <Trans>Save as CSV</Trans> : <Trans>Save as Excel</Trans>}
          </button>
        ))}
      </div>
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {wrong}
        </p>
      )}
    </div>
  );
}
