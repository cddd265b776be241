import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { answered, api, type Provider } from "../app/api";
import { refusalText } from "../app/refusals";
import { sayDay, sayStart } from "../app/time";
import { TimeChoice, TypeChoice } from "./choices";
import { PatientFinder, type Person } from "./patient";
import { useSending } from "../app/keys";
import { rulesQuery, zoneOf } from "./visit";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";

interface Props {
  provider: Provider;
  date: string;
}

/** How long the rules are believed: others change them while the page is open. */
const RULES_MS = 60_000;

/** Opens the dialog in which staff book at a time that is taken. */
export function OverbookButton(props: Props) {
  const [isOpen, setOpen] = useState(false);
  const rules = useQuery({ ...rulesQuery(props.provider.provider_id), staleTime: RULES_MS });
  const lanes = rules.data?.rules.lanes ?? 1;
  // One visit at one time: nothing can be overbooked.
  if (lanes < 2) return null;
  return (
    <>
      <button className="button" type="button" onClick={() => setOpen(true)}>
        <Trans>Overbook …</Trans>
      </button>
      {isOpen && <OverbookDialog {...props} lanes={lanes} onClose={() => setOpen(false)} />}
    </>
  );
}

/** A patient, a time that others have, and why the visit cannot wait. */
function OverbookDialog({ provider, date, lanes, onClose }: Props & { lanes: number; onClose: () => void }) {
  const { t, i18n } = useLingui();
  const { isAsking, send } = useSending();
  const zone = zoneOf(provider);
  const types = provider.visit_types.filter((one) => (one.capacity ?? 1) === 1);
  const [type, setType] = useState(types[0]?.visit_type ?? "");
  const [start, setStart] = useState<string>();
  const [patient, setPatient] = useState<Person>();
  const [wrong, setWrong] = useState<string>();
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
    const reason = String(new FormData(event.currentTarget).get("reason") ?? "").trim();
    if (patient === undefined) return setWrong(t`Choose a patient, or add one.`);
    if (chosen === undefined) return setWrong(t`Choose a time.`);
    if (reason === "") return setWrong(t`Say why the visit cannot wait.`);
    const wanted = {
      ...{ provider_id: provider.provider_id, visit_type: type, start: chosen, patient_id: patient.id },
      ...{ reason, overbook: true },
    };
    const answer = await send(wanted, (key) =>
      api.POST("/v1/bookings", { params: { header: { "Idempotency-Key": key } }, body: wanted }),
    );
    if (answer === undefined) return;
    if (answer.error !== undefined) {
      const { code } = answer.error;
      return setWrong(
        code === "slot_unavailable"
          ? t`This time cannot be overbooked any further: it has as many visits as the rules allow.`
          : code === "resource_unavailable"
            ? t`No room or device that this visit takes is free at this time.`
            : i18n._(refusalText(code)),
      );
    }
    const when = sayStart(chosen, zone);
    speakOut(t`Booked for ${when}.`);
    onClose();
  };
  return (
    <Dialog title={t`Book at a time that is taken`} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void book(event)} noValidate>
        <p>
          <strong>
            <bdi>{sayDay(date, { weekday: "long", day: "numeric", month: "long" })}</bdi>
          </strong>
        </p>
        <p className="quiet">
          <Plural
            value={lanes}
            one="There may be # visit at one time. Other patients do not see it."
            other="There may be # visits at one time. Other patients do not see it."
          />
        </p>
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
        <TypeChoice id="over-type" types={types} value={type} onChange={setType} />
        <fieldset>
          <legend>
            <Trans>Taken times</Trans>
          </legend>
          {slots.data !== undefined && taken.length === 0 && (
            <p className="quiet">
              <Trans>All times of this day are free: book one of them.</Trans>
            </p>
          )}
          <TimeChoice starts={taken} chosen={chosen ?? null} zone={zone} onPick={setStart} />
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
