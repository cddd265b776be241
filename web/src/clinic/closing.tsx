import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api, newKey, type Provider, type Schemas } from "../app/api";
import { staffRefusal } from "./refusals";
import { say, today } from "../app/time";
import { useFollow } from "../app/shell";
import { Affected } from "../desk/leave";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";
import { Unproved } from "../ui/unproved";

const WHEN = { dateStyle: "medium", timeStyle: "short" } as const;

interface Props {
  id: string;
  name: string;
  zone: string;
  isRetired: boolean;
}

/** Whether the clinic works, and the way to end or to resume that. */
export function ClinicStanding({ id, name, zone, isRetired: wasRetired }: Props) {
  const [isRetired, setRetired] = useState(wasRetired);
  const [isOpen, setOpen] = useState(false);
  return (
    <section className="card stack" aria-labelledby="standing">
      <h2 id="standing">
        {isRetired ? <Trans>This clinic is retired</Trans> : <Trans>Retire the clinic</Trans>}
      </h2>
      <p>
        {isRetired ? (
          <Trans>No search finds it, and nothing can be booked here. Visits that were booked stay until each is moved or cancelled.</Trans>
        ) : (
          <Trans>For a clinic that closes: its doctors are found no longer, and nothing more is booked. Visits ahead are not cancelled by it.</Trans>
        )}
      </p>
      <div>
        <button className={isRetired ? "button" : "button danger"} type="button" aria-haspopup="dialog" onClick={() => setOpen(true)}>
          {isRetired ? <Trans>Reactivate the clinic …</Trans> : <Trans>Retire the clinic …</Trans>}
        </button>
      </div>
      {isOpen && (
        <ClosingDialog id={id} name={name} zone={zone} isRetired={isRetired} onDone={setRetired} onClose={() => setOpen(false)} />
      )}
    </section>
  );
}

function ClosingDialog(props: Props & { onDone: (isRetired: boolean) => void; onClose: () => void }) {
  const { id, name, zone, isRetired, onDone, onClose } = props;
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  // What it was when the dialog was opened: the answer changes the page behind it.
  const [wasRetired] = useState(isRetired);
  const [key] = useState(newKey);
  const [done, setDone] = useState<Schemas["ClinicStandingAnswer"]>();
  const [wrong, setWrong] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const path = wasRetired ? "/v1/clinics/{clinic_id}/reactivate" : "/v1/clinics/{clinic_id}/retire";
  const ask = (isDry: boolean) =>
    api.POST(path, {
      params: {
        path: { clinic_id: id },
        query: isDry ? { dry_run: true } : {},
        header: isDry ? {} : { "Idempotency-Key": key },
      },
    });
  const would = useQuery({
    queryKey: ["clinic standing", id, wasRetired],
    retry: false,
    gcTime: 0,
    staleTime: Infinity,
    queryFn: async () => answered(await ask(true)),
  });
  const send = async () => {
    if (isBusy) return;
    setBusy(true);
    setWrong(undefined);
    const { data, error } = await ask(false);
    setBusy(false);
    if (data === undefined) return setWrong(i18n._(staffRefusal(error?.code)));
    speakOut(wasRetired ? t`${name} works again.` : t`${name} is retired.`);
    onDone(!wasRetired);
    setDone(data);
    await Promise.all([["doctors"], ["clinics"], ["provider"]].map((queryKey) => queries.invalidateQueries({ queryKey })));
  };
  const title = wasRetired ? t`Reactivate ${name}` : done === undefined ? t`Retire ${name}` : t`${name} is retired`;
  const shown = done ?? would.data;
  return (
    <Dialog title={title} onClose={onClose}>
      {done === undefined && (
        <ul className="says">
          {wasRetired ? (
            <>
              <li>
                <Trans>Patients find the clinic again, and these doctors, at once.</Trans>
              </li>
              <li>
                <Trans>Doctors who were retired before the clinic, or work elsewhere by now, stay as they are.</Trans>
              </li>
            </>
          ) : (
            <>
              <li>
                <Trans>Patients do not find the clinic and its doctors any more, at once.</Trans>
              </li>
              <li>
                <Trans>Nothing new can be booked, by patients or by the clinic.</Trans>
              </li>
              <li>
                <Trans>Visits that are booked stay booked, and their patients are not told. Move or cancel each of them.</Trans>
              </li>
              <li>
                <Trans>The staff still sign in, and see their calendars. You can reactivate the clinic at any time.</Trans>
              </li>
            </>
          )}
        </ul>
      )}
      {would.isPending && <p aria-busy="true" className="quiet"><Trans>One moment …</Trans></p>}
      <Unproved error={would.error} onAgain={() => void would.refetch()} />
      {shown !== undefined && <VisitsAhead rows={shown.providers} zone={zone} />}
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {wrong}
        </p>
      )}
      {done === undefined ? (
        <div className="row">
          <button
            className={wasRetired ? "button primary" : "button danger"}
            type="button"
            aria-disabled={isBusy || would.data === undefined}
            onClick={() => would.data !== undefined && void send()}
          >
            {isBusy ? <Trans>One moment …</Trans> : wasRetired ? <Trans>Reactivate</Trans> : <Trans>Retire</Trans>}
          </button>
          <button className="button" type="button" onClick={onClose}>
            <Trans>Leave it as it is</Trans>
          </button>
        </div>
      ) : (
        <button className="button primary" type="button" onClick={onClose}>
          <Trans>Close</Trans>
        </button>
      )}
    </Dialog>
  );
}

/** Doctor by doctor: how many visits are ahead, and when the next one is. */
function VisitsAhead({ rows, zone }: { rows: readonly Schemas["VisitsAheadAnswer"][]; zone: string }) {
  const follow = useFollow();
  if (rows.length === 0) {
    return (
      <p className="quiet">
        <Trans>No doctor's calendar changes by it.</Trans>
      </p>
    );
  }
  return (
    <ul className="plain-list stays">
      {rows.map((one) => (
        <li key={one.provider_id} className="memberrow">
          <strong>
            <bdi>{one.name}</bdi>
          </strong>
          <span className="quiet">
            <Plural value={one.visits} _0="no visit ahead" one="# visit ahead" other="# visits ahead" />
            {one.next_start !== null && (
              <>
                {", "}
                <a
                  href={`/desk/day/${one.provider_id}?date=${today(zone, Date.parse(one.next_start))}`}
                  onClick={follow}
                >
                  <Trans>
                    the next <bdi>{say(one.next_start, zone, WHEN)}</bdi>
                  </Trans>
                </a>
              </>
            )}
          </span>
        </li>
      ))}
    </ul>
  );
}

/** Ends a doctor's work here: for administrators. Letting one work again is in standing.tsx. */
export function RetireDoctor({ doctor, zone, canMove }: { doctor: Provider; zone: string; canMove: boolean }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  const [key, setKey] = useState(newKey);
  const [isBusy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const [affected, setAffected] = useState<readonly Schemas["BookingBody"][]>();
  const { name, provider_id } = doctor;
  const send = async () => {
    if (isBusy) return;
    setBusy(true);
    setWrong(undefined);
    const { data, error } = await api.POST("/v1/providers/{provider_id}/retire", {
      params: { path: { provider_id }, header: { "Idempotency-Key": key } },
    });
    setBusy(false);
    if (data === undefined) return setWrong(i18n._(staffRefusal(error?.code)));
    speakOut(t`${name} is retired.`);
    // The next time is another intention: under this key it would only be answered again.
    setKey(newKey());
    setAffected(data.affected);
  };
  const close = () => {
    setOpen(false);
    if (affected === undefined) return;
    setAffected(undefined);
    void Promise.all([["doctors"], ["provider", provider_id]].map((queryKey) => queries.invalidateQueries({ queryKey })));
  };
  // The answer makes the page behind show a retired doctor: the dialog with it stays.
  if (doctor.retired && !isOpen) return null;
  return (
    <>
      <button className="button danger" type="button" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        <Trans>Retire …</Trans>
      </button>
      {isOpen && (
        <Dialog title={affected === undefined ? t`Retire ${name}` : t`${name} is retired`} onClose={close}>
          {affected === undefined ? (
            <ul className="says">
              <li>
                <Trans>Patients do not find this doctor any more, at once, and nothing new can be booked.</Trans>
              </li>
              <li>
                <Trans>Visits that are booked stay booked, and their patients are not told. You see next which they are.</Trans>
              </li>
              <li>
                <Trans>The doctor still signs in. You can let them work again at any time.</Trans>
              </li>
            </ul>
          ) : (
            <>
              <p>
                <Plural
                  value={affected.length}
                  _0="No visit is ahead."
                  one="# visit stays booked. Move or cancel it, so that its patient knows."
                  other="# visits stay booked. Move or cancel each, so that its patient knows."
                />
              </p>
              {canMove && affected.length > 0 && (
                <div className="stays">
                  <Affected rows={affected} provider={provider_id} zone={zone} />
                </div>
              )}
            </>
          )}
          {wrong !== undefined && (
            <p className="notice bad" role="alert">
              {wrong}
            </p>
          )}
          {affected === undefined ? (
            <div className="row">
              <button className="button danger" type="button" aria-disabled={isBusy} onClick={() => void send()}>
                {isBusy ? <Trans>One moment …</Trans> : <Trans>Retire</Trans>}
              </button>
              <button className="button" type="button" onClick={close}>
                <Trans>Leave it as it is</Trans>
              </button>
            </div>
          ) : (
            <button className="button primary" type="button" onClick={close}>
              <Trans>Close</Trans>
            </button>
          )}
        </Dialog>
      )}
    </>
  );
}
