import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { api, type Schemas } from "../app/api";
import { sayDay } from "../app/time";
import { nameOf } from "./names";
import { patientRefusal } from "./refusals";
import { useSending } from "../app/keys";

type Patient = Schemas["ClinicPatientAnswer"];

export interface Person {
  id: string;
  name: string;
}

interface Props {
  clinic: string;
  onPick: (person: Person) => void;
  /** A new patient is on the way; undefined if the server refuses them. */
  onAdding: (coming: Promise<Person | undefined>) => void;
}

/** Find one of the clinic's patients by name and birth or number, or add a new one. */
export function PatientFinder({ clinic, onPick, onAdding }: Props) {
  const { t, i18n } = useLingui();
  const [family, setFamily] = useState("");
  const [given, setGiven] = useState("");
  const [born, setBorn] = useState("");
  const [items, setItems] = useState<readonly Patient[]>();
  const [wrong, setWrong] = useState<string>();
  const { isAsking: isAdding, send } = useSending();
  const path = { clinic_id: clinic };
  const find = async () => {
    if (family === "" || born === "") return setWrong(t`Write the family name and the day of birth.`);
    const { data, error } = await api.POST("/v1/clinics/{clinic_id}/patients/search", {
      params: { path },
      body: { family_name: family, birth_date: born },
    });
    setWrong(error && i18n._(patientRefusal(error.code)));
    setItems(data?.items);
  };
  const add = async (): Promise<Person | undefined> => {
    setWrong(undefined);
    const body = { given_name: given, family_name: family, birth_date: born, number: "", even_if_known: false };
    const answer = await send(body, (key) =>
      api.POST("/v1/clinics/{clinic_id}/patients", { params: { path, header: { "Idempotency-Key": key } }, body }),
    );
    if (answer?.data === undefined) {
      setWrong(i18n._(patientRefusal(answer?.error?.code)));
      return undefined;
    }
    const person = { id: answer.data.patient_id, name: nameOf(answer.data) };
    onPick(person);
    return person;
  };
  return (
    <fieldset className="stack">
      <legend>
        <Trans>Patient</Trans>
      </legend>
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {wrong}
        </p>
      )}
      <div className="row ends">
        <div className="field grow">
          <label htmlFor="family">
            <Trans>Family name</Trans>
          </label>
          <input id="family" className="input" autoComplete="off" value={family} onChange={(event) => setFamily(event.target.value)} />
        </div>
        <div className="field">
          <label htmlFor="born">
            <Trans>Born on</Trans>
          </label>
          <input id="born" className="input" type="date" value={born} onChange={(event) => setBorn(event.target.value)} />
        </div>
        <button className="button" type="button" onClick={() => void find()}>
          <Trans>Find</Trans>
        </button>
      </div>
      {items !== undefined && items.length > 0 && (
        <ul className="plain-list stack tight">
          {items.map((one) => (
            <li key={one.patient_id}>
              <button className="button" type="button" onClick={() => onPick({ id: one.patient_id, name: nameOf(one) })}>
                <bdi>{nameOf(one)}</bdi>
                {one.birth_date !== "" && <> · {sayDay(one.birth_date, { dateStyle: "medium" })}</>}
              </button>
            </li>
          ))}
        </ul>
      )}
      {items?.length === 0 && (
        <div className="row ends" role="status">
          <div className="field grow">
            <label htmlFor="given">
              <Trans>No such patient yet. Given name of a new one</Trans>
            </label>
            <input id="given" className="input" autoComplete="off" value={given} onChange={(event) => setGiven(event.target.value)} />
          </div>
          <button
            className="button"
            type="button"
            aria-disabled={isAdding}
            onClick={() => {
              if (!isAdding) onAdding(add());
            }}
          >
            {isAdding ? <Trans>One moment …</Trans> : <Trans>Add the patient</Trans>}
          </button>
        </div>
      )}
    </fieldset>
  );
}
