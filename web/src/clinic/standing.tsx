import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { answered, api, newKey, type Schemas } from "../app/api";
import { staffRefusal } from "./refusals";
import { useContextOfSession } from "../app/shell";
import { say } from "../app/time";
import { Affected } from "../desk/leave";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";

type Calendar = Schemas["CalendarAnswer"];

interface Props {
  doctor: Calendar;
  /** The clinic's zone. */
  zone: string;
}

/** Suspends a doctor, or lets one work again: a button for those who may. */
export function Standing({ doctor, zone }: Props) {
  const { t } = useLingui();
  const context = useContextOfSession();
  const [isOpen, setOpen] = useState(false);
  if (context?.role !== "clinic_admin" && context?.role !== "admin") return null;
  const { name } = doctor;
  const isAway = doctor.suspended || doctor.retired;
  // One button for both, so that the focus comes back to it from the dialog.
  return (
    <>
      <button
        className="button small"
        type="button"
        aria-haspopup="dialog"
        aria-label={isAway ? t`Let ${name} work again …` : t`Suspend ${name} …`}
        onClick={() => setOpen(true)}
      >
        {isAway ? <Trans>Let work again …</Trans> : <Trans>Suspend …</Trans>}
      </button>
      {isOpen && <StandingDialog doctor={doctor} zone={zone} onClose={() => setOpen(false)} />}
    </>
  );
}

function StandingDialog({ doctor, zone, onClose }: Props & { onClose: () => void }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const { provider_id, name } = doctor;
  // What it was when the dialog was opened: the answer changes the list behind it.
  const [wasAway] = useState(doctor.suspended || doctor.retired);
  const [key] = useState(newKey);
  const [wrong, setWrong] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const [affected, setAffected] = useState<readonly Schemas["BookingBody"][]>();
  const params = { path: { provider_id }, header: { "Idempotency-Key": key } };
  const send = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (isBusy) return;
    const reason = String(new FormData(event.currentTarget).get("reason") ?? "").trim();
    if (!wasAway && reason === "") return setWrong(t`Write the reason.`);
    setBusy(true);
    setWrong(undefined);
    const answer = wasAway
      ? await api.POST("/v1/providers/{provider_id}/reinstate", { params })
      : await api.POST("/v1/providers/{provider_id}/suspend", { params, body: { reason } });
    setBusy(false);
    if (answer.error !== undefined) return setWrong(i18n._(staffRefusal(answer.error.code)));
    speakOut(wasAway ? t`${name} works again.` : t`${name} is suspended.`);
    await Promise.all(
      [["doctors"], ["provider", provider_id], ["suspension", provider_id]].map((queryKey) =>
        queries.invalidateQueries({ queryKey }),
      ),
    );
    if (wasAway || answer.data.affected.length === 0) return onClose();
    setAffected(answer.data.affected);
  };
  if (affected !== undefined) return <Stays doctor={doctor} zone={zone} rows={affected} onClose={onClose} />;
  return (
    <Dialog title={wasAway ? t`Let ${name} work again` : t`Suspend ${name}`} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void send(event)} noValidate>
        {wasAway ? (
          <>
            <Suspended provider={provider_id} zone={zone} />
            <p>
              <Trans>Patients find this doctor again at once, and book in the hours that are set.</Trans>
            </p>
          </>
        ) : (
          <>
            <ul className="says">
              <li>
                <Trans>Nothing can be booked any more, at once: by patients, by the clinic, or with a time that is held.</Trans>
              </li>
              <li>
                <Trans>Patients do not find this doctor any more.</Trans>
              </li>
              <li>
                <Trans>Visits that are booked stay. You see next which they are.</Trans>
              </li>
              <li>
                <Trans>The doctor still signs in, and reads the reason. You can end it at any time.</Trans>
              </li>
            </ul>
            <div className="field">
              <label htmlFor="suspend-reason">
                <Trans>Reason (the doctor and the administration read it, patients do not)</Trans>
              </label>
              <textarea
                id="suspend-reason"
                name="reason"
                className="input"
                rows={3}
                required
                maxLength={500}
                aria-invalid={wrong !== undefined}
                aria-describedby={wrong === undefined ? undefined : "suspend-wrong"}
              />
            </div>
          </>
        )}
        {wrong !== undefined && (
          <p className="notice bad" role="alert" id="suspend-wrong">
            {wrong}
          </p>
        )}
        <div className="row">
          <button className={wasAway ? "button primary" : "button danger"} type="submit" aria-disabled={isBusy}>
            {isBusy ? <Trans>One moment …</Trans> : wasAway ? <Trans>Let work again</Trans> : <Trans>Suspend</Trans>}
          </button>
          <button className="button" type="button" onClick={onClose}>
            <Trans>Leave it as it is</Trans>
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** The visits that a suspension leaves: someone must take care of each. */
function Stays(props: Props & { rows: readonly Schemas["BookingBody"][]; onClose: () => void }) {
  const { doctor, zone, rows, onClose } = props;
  const { t } = useLingui();
  const context = useContextOfSession();
  const { name } = doctor;
  return (
    <Dialog title={t`${name} is suspended`} onClose={onClose}>
      <p>
        <Plural
          value={rows.length}
          one="# visit stays booked. Move or cancel it, so that its patient knows."
          other="# visits stay booked. Move or cancel each, so that its patient knows."
        />
      </p>
      {context?.role === "clinic_admin" && (
        <div className="stays">
          <Affected rows={rows} provider={doctor.provider_id} zone={zone} />
        </div>
      )}
      <button className="button primary" type="button" onClick={onClose}>
        <Trans>Close</Trans>
      </button>
    </Dialog>
  );
}

/** Since when, and why. */
function Suspended({ provider, zone }: { provider: string; zone: string }) {
  const found = useQuery({
    queryKey: ["suspension", provider],
    retry: false,
    queryFn: async () =>
      answered(await api.GET("/v1/providers/{provider_id}/suspension", { params: { path: { provider_id: provider } } })),
  });
  if (found.data?.suspended !== true || found.data.since === null) return null;
  const { since, reason } = found.data;
  return (
    <>
      <p className="quiet small">
        <Trans>
          Suspended since <bdi>{say(since, zone, { dateStyle: "medium", timeStyle: "short" })}</bdi>
        </Trans>
      </p>
      {reason !== "" && (
        <blockquote>
          <bdi>{reason}</bdi>
        </blockquote>
      )}
    </>
  );
}
