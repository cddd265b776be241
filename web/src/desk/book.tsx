import { Trans, useLingui } from "@lingui/react/macro";
import { Suspense, useRef, useState, type FormEvent } from "react";
import { api, type Provider } from "../app/api";
import { addDays, isoWeek, localOf, sayStart } from "../app/time";
import { useFreeStarts } from "../live/hooks";
import { RepeatWay } from "../series/ways";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";
import { TimeChoice, TypeChoice } from "./choices";
import { PatientFinder, type Person } from "./patient";
import { useSending } from "../app/keys";
import { visitRefusal } from "./refusals";
import { zoneOf } from "./visit";

/** What is missing before a visit can be booked; the sentence goes once it is there. */
type Missing = "patient" | "time";

/** Book a visit for a patient of the clinic. */
export function BookDialog(props: { provider: Provider; date: string; onClose: () => void }) {
  const { provider, onClose } = props;
  const { t, i18n } = useLingui();
  const [date, setDate] = useState(props.date);
  const [type, setType] = useState(provider.visit_types[0]?.visit_type ?? "");
  const [start, setStart] = useState<string>();
  const [patient, setPatient] = useState<Person>();
  const adding = useRef<Promise<Person | undefined>>(undefined);
  const { isAsking: isSending, send } = useSending();
  const [missing, setMissing] = useState<Missing>();
  const [refused, setRefused] = useState<string>();
  const [isWaiting, setWaiting] = useState(false);
  const isAsking = isSending || isWaiting;
  const zone = zoneOf(provider);
  const takes = (provider.visit_types.find((one) => one.visit_type === type)?.resource_kinds ?? []).length > 0;
  const free = useFreeStarts(`slots/${provider.provider_id}/${type}/${isoWeek(date)}`).filter(
    (one) => localOf(one, zone).date === date,
  );
  const chosen = start !== undefined && free.includes(start) ? start : undefined;
  const wrong =
    missing === "patient" && patient === undefined
      ? t`Choose a patient, or add one.`
      : missing === "time" && chosen === undefined
        ? t`Choose a free time.`
        : refused;
  const pick = (person: Person | undefined) => {
    setPatient(person);
    setRefused(undefined);
  };
  const ask = async (reason: string) => {
    // A patient who is just being added is waited for: the click must not be lost.
    const person = patient ?? (await adding.current);
    setMissing(person === undefined ? "patient" : chosen === undefined ? "time" : undefined);
    setRefused(undefined);
    if (person === undefined || chosen === undefined) return;
    const fields = { provider_id: provider.provider_id, visit_type: type, start: chosen, patient_id: person.id };
    const wanted = { ...fields, ...(reason === "" ? {} : { reason }) };
    const answer = await send(wanted, (key) =>
      api.POST("/v1/bookings", { params: { header: { "Idempotency-Key": key } }, body: wanted }),
    );
    if (answer === undefined) return;
    if (answer.error !== undefined) return setRefused(i18n._(visitRefusal(answer.error.code, takes)));
    const when = sayStart(chosen, zone);
    speakOut(t`Booked for ${when}.`);
    onClose();
  };
  const book = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (isAsking) return;
    const reason = new FormData(event.currentTarget).get("reason");
    setWaiting(true);
    await ask(String(reason ?? "").trim()).finally(() => setWaiting(false));
  };
  return (
    <Dialog title={t`Book for a patient`} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void book(event)} noValidate>
        {wrong !== undefined && (
          <p className="notice bad" role="alert">
            {wrong}
          </p>
        )}
        {patient === undefined ? (
          <PatientFinder
            clinic={provider.clinic.clinic_id}
            onPick={pick}
            onAdding={(coming) => {
              adding.current = coming;
            }}
          />
        ) : (
          <p className="row between">
            <strong>
              <bdi>{patient.name}</bdi>
            </strong>
            <button
              className="button small"
              type="button"
              onClick={() => {
                adding.current = undefined;
                pick(undefined);
              }}
            >
              <Trans>Another patient</Trans>
            </button>
          </p>
        )}
        <div className="row">
          <TypeChoice id="book-type" types={provider.visit_types} value={type} onChange={setType} />
          <div className="field">
            <label htmlFor="book-date">
              <Trans>Day</Trans>
            </label>
            <input
              id="book-date"
              className="input"
              type="date"
              value={date}
              onChange={(event) => setDate(event.target.value || addDays(date, 0))}
            />
          </div>
        </div>
        <fieldset>
          <legend>
            <Trans>Free times</Trans>
          </legend>
          {free.length === 0 && (
            <p className="quiet">
              <Trans>No free time on this day.</Trans>
            </p>
          )}
          <TimeChoice starts={free} chosen={chosen ?? null} zone={zone} onPick={setStart} />
        </fieldset>
        <div className="field">
          <label htmlFor="book-reason">
            <Trans>Reason for the visit (optional)</Trans>
          </label>
          <input id="book-reason" name="reason" className="input" maxLength={500} />
        </div>
        <div className="row">
          <button className="button primary" type="submit" aria-disabled={isAsking}>
            {isAsking ? <Trans>One moment …</Trans> : <Trans>Book</Trans>}
          </button>
          <button className="button" type="button" onClick={onClose}>
            <Trans>Close</Trans>
          </button>
        </div>
      </form>
      {patient !== undefined && (
        <Suspense fallback={null}>
          <RepeatWay provider={provider} zone={zone} type={type} start={chosen} patient={patient.id} />
        </Suspense>
      )}
    </Dialog>
  );
}
