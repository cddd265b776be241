import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useState, type CSSProperties, type FormEvent } from "react";
import { api } from "../app/api";
import { useSending } from "../app/keys";
import { refusalText } from "../app/refusals";
import { localOf, sayStart } from "../app/time";
import { inOrder } from "./lanes";
import { PatientName } from "./names";
import type { Booking } from "../live/frames";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";

interface Props {
  visit: Booking;
  rows: readonly Booking[];
  title: string;
  zone: string;
}

/** That a visit is overbooked, or its seat and the way to its session. */
export function Sharing(props: Props) {
  const { visit } = props;
  const { seat } = visit;
  const [isOpen, setOpen] = useState(false);
  if (visit.lane !== undefined) {
    return <Overbooked />;
  }
  return (
    <>
      <button className="button small" type="button" onClick={() => setOpen(true)}>
        <Trans>Seat {seat} · group …</Trans>
      </button>
      {isOpen && <SessionDialog {...props} onClose={() => setOpen(false)} />}
    </>
  );
}

/** The visits of a session: by seat, then those that were overbooked into it, who are cancelled with it. */
const seatsOf = (visit: Booking, rows: readonly Booking[]) =>
  rows
    .filter((one) => one.start === visit.start && one.visit_type === visit.visit_type && one.status !== "cancelled")
    .filter((one) => one.seat !== undefined || one.lane !== undefined)
    .sort(inOrder);

/** In the week: one block for all seats of a session, and the way to it. */
export function SessionBlock({ style, ...props }: Props & { style: CSSProperties }) {
  const { visit, rows, title, zone } = props;
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button
        type="button"
        className="block group"
        data-status={visit.status}
        data-start={visit.start}
        aria-haspopup="dialog"
        style={style}
        onClick={() => setOpen(true)}
      >
        <bdi>{localOf(visit.start, zone).time}</bdi> <bdi>{title}</bdi>
        {", "}
        <Plural
          value={seatsOf(visit, rows).filter((one) => one.seat !== undefined).length}
          one="# patient"
          other="# patients"
        />
      </button>
      {isOpen && <SessionDialog {...props} onClose={() => setOpen(false)} />}
    </>
  );
}

function Overbooked() {
  return (
    <span className="chip warn">
      <Trans>Overbooked</Trans>
    </span>
  );
}

/** A session with its patients; it can be cancelled for all of them. */
function SessionDialog({ visit, rows, title, zone, onClose }: Props & { onClose: () => void }) {
  const { t, i18n } = useLingui();
  const { isAsking, send } = useSending();
  const [wrong, setWrong] = useState<string>();
  const seats = seatsOf(visit, rows);
  const cancel = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const reason = new FormData(event.currentTarget).get("reason");
    const body = { visit_type: visit.visit_type, start: visit.start, reason: String(reason ?? "").trim() };
    const answer = await send(body, (key) =>
      api.POST("/v1/providers/{provider_id}/sessions/cancel", {
        params: { path: { provider_id: visit.provider_id }, header: { "Idempotency-Key": key } },
        body,
      }),
    );
    if (answer === undefined) return;
    if (answer.error !== undefined) return setWrong(i18n._(refusalText(answer.error.code)));
    speakOut(t`Cancelled for all patients.`);
    onClose();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void cancel(event)}>
        <p className="row between">
          <bdi>{sayStart(visit.start, zone)}</bdi>
          <span className="chip">
            <Plural value={seats.length} one="# patient" other="# patients" />
          </span>
        </p>
        {wrong !== undefined && (
          <p className="notice bad" role="alert">
            {wrong}
          </p>
        )}
        <ol>
          {seats.map((one) => (
            <li key={one.booking_id} value={one.seat}>
              <PatientName id={one.patient_id} />{" "}
              {one.lane !== undefined && <Overbooked />}
            </li>
          ))}
        </ol>
        <div className="field">
          <label htmlFor="session-reason">
            <Trans>Reason, for all patients (optional)</Trans>
          </label>
          <input id="session-reason" name="reason" className="input" maxLength={500} />
        </div>
        <p className="quiet small">
          <Trans>The time is closed first, so that no seat is booked again.</Trans>
        </p>
        <div className="row">
          <button className="button danger" type="submit" aria-disabled={isAsking}>
            <Trans>Cancel for all patients</Trans>
          </button>
          <button className="button" type="button" onClick={onClose}>
            <Trans>Close</Trans>
          </button>
        </div>
      </form>
    </Dialog>
  );
}
