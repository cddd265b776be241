import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { answered, api, type Provider } from "../app/api";
import { refusalText } from "../app/refusals";
import { localOf, sayStart } from "../app/time";
import { PatientFinder, type Person } from "./patient";
import { useKeys } from "../app/keys";
import { zoneOf } from "./visit";
import { useLive } from "../live/hooks";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";

interface Props {
  provider: Provider;
  date: string;
}

/** Opens the dialog in which staff book at a time that is taken. */
export function OverbookButton(props: Props) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button className="button" type="button" onClick={() => setOpen(true)}>
        <Trans>Overbook …</Trans>
      </button>
      {isOpen && <OverbookDialog {...props} onClose={() => setOpen(false)} />}
    </>
  );
}

/** A patient, a time that others have, and why the visit cannot wait. */
function OverbookDialog({ provider, date, onClose }: Props & { onClose: () => void }) {
  const { t, i18n } = useLingui();
  const live = useLive();
  const keys = useKeys();
  const zone = zoneOf(provider);
  const types = provider.visit_types.filter((one) => (one.capacity ?? 1) === 1);
  const [type, setType] = useState(types[0]?.visit_type ?? "");
  const [start, setStart] = useState<string>();
  const [patient, setPatient] = useState<Person>();
  const [wrong, setWrong] = useState<string>();
  const [isAsking, setAsking] = useState(false);
  const slots = useQuery({
    queryKey: ["overbook", provider.provider_id, type, date],
    gcTime: 0,
    queryFn: async () => {
      const path = { provider_id: provider.provider_id };
      const query = { visit_type: type, from: date, to: date };
      return answered(await api.GET("/v1/providers/{provider_id}/slots", { params: { path, query } })).slots;
    },
  });
  const taken = (slots.data ?? []).filter((one) => one.state !== "free").map((one) => one.start);
  const chosen = start !== undefined && taken.includes(start) ? start : undefined;
  const book = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (isAsking) return;
    const reason = String(new FormData(event.currentTarget).get("reason") ?? "").trim();
    if (patient === undefined) return setWrong(t`Choose a patient, or add one.`);
    if (chosen === undefined) return setWrong(t`Choose a time.`);
    if (reason === "") return setWrong(t`Say why the visit cannot wait.`);
    const wanted = {
      ...{ provider_id: provider.provider_id, visit_type: type, start: chosen, patient_id: patient.id },
      ...{ reason, overbook: true },
    };
    setAsking(true);
    const answer = await live.command("book", wanted, keys.of(wanted));
    setAsking(false);
    if (answer.status >= 300) {
      keys.forget(wanted);
      return setWrong(
        answer.code === "slot_unavailable"
          ? t`This time cannot be overbooked any further: the doctor's rules say how often it may be.`
          : i18n._(refusalText(answer.code)),
      );
    }
    const when = sayStart(chosen, zone);
    speakOut(t`Booked for ${when}.`);
    onClose();
  };
  return (
    <Dialog title={t`Book at a time that is taken`} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void book(event)} noValidate>
        {wrong !== undefined && (
          <p className="notice bad" role="alert">
            {wrong}
          </p>
        )}
        {patient === undefined ? (
          <PatientFinder clinic={provider.clinic.clinic_id} onPick={setPatient} onAdding={(coming) => void coming.then(setPatient)} />
        ) : (
          <p className="row between">
            <strong>
              <bdi>{patient.name}</bdi>
            </strong>
            <button className="button small" type="button" onClick={() => setPatient(undefined)}>
              <Trans>Another patient</Trans>
            </button>
          </p>
        )}
        <div className="field">
          <label htmlFor="over-type">
            <Trans>Visit</Trans>
          </label>
          <select id="over-type" className="input" value={type} onChange={(event) => setType(event.target.value)}>
            {types.map((one) => (
              <option key={one.visit_type} value={one.visit_type}>
                {one.title}
              </option>
            ))}
          </select>
        </div>
        <fieldset>
          <legend>
            <Trans>Taken times</Trans>
          </legend>
          {slots.data !== undefined && taken.length === 0 && (
            <p className="quiet">
              <Trans>All times of this day are free: book one of them.</Trans>
            </p>
          )}
          <div className="times">
            {taken.map((one) => (
              <button
                key={one}
                className="slot"
                data-state={one === chosen ? "mine" : "free"}
                data-start={one}
                type="button"
                aria-pressed={one === chosen}
                onClick={() => setStart(one)}
              >
                <bdi>{localOf(one, zone).time}</bdi>
              </button>
            ))}
          </div>
        </fieldset>
        <div className="field">
          <label htmlFor="over-reason">
            <Trans>Why the visit cannot wait</Trans>
          </label>
          <input id="over-reason" name="reason" className="input" maxLength={500} required aria-required />
        </div>
        <div className="row">
          <button className="button primary" type="submit" aria-disabled={isAsking}>
            <Trans>Overbook</Trans>
          </button>
          <button className="button" type="button" onClick={onClose}>
            <Trans>Close</Trans>
          </button>
        </div>
      </form>
    </Dialog>
  );
}
