import "./account.css";
import { msg } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api, newKey, type Schemas } from "../app/api";
import { Gate } from "../ui/gate";
import { speakOut } from "../ui/spoken";
import { Field, Form, wrongOf, type Wrong } from "./form";

const STATUS: Record<Schemas["ApplicationAnswer"]["status"], ReturnType<typeof msg>> = {
  submitted: msg`The clinic has not decided yet.`,
  approved: msg`Approved. Sign in again to act as a doctor.`,
  rejected: msg`Rejected.`,
  withdrawn: msg`Withdrawn.`,
};
const FIELDS = ["name", "specialty", "country", "licence"] as const;
const CLINICS_SHOWN = 20;

/** A doctor applies to work at a clinic, which decides. */
export function ApplyPage() {
  return (
    <Gate>
      <div className="settings medium">
        <h1>
          <Trans>Work here as a doctor</Trans>
        </h1>
        <Own />
        <Apply />
      </div>
    </Gate>
  );
}

function Own() {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const found = useQuery({
    queryKey: ["my-applications"],
    queryFn: async () => answered(await api.GET("/v1/me/applications")).items,
  });
  const withdraw = async (application_id: string) => {
    await api.DELETE("/v1/me/applications/{application_id}", { params: { path: { application_id } } });
    speakOut(t`Withdrawn.`);
    await queries.invalidateQueries({ queryKey: ["my-applications"] });
  };
  if (found.data === undefined || found.data.length === 0) return null;
  return (
    <section className="card" aria-labelledby="own-applications">
      <h2 id="own-applications">
        <Trans>Your applications</Trans>
      </h2>
      <ul className="plain-list">
        {found.data.map((one) => (
          <li key={one.application_id} className="session">
            <div>
              <strong>
                <bdi>{one.name}</bdi>
              </strong>{" "}
              <bdi>{one.specialty}</bdi>
              <p>
                {i18n._(STATUS[one.status])} <bdi>{one.reason}</bdi>
              </p>
            </div>
            {one.status === "submitted" && (
              <button className="button small" type="button" onClick={() => void withdraw(one.application_id)}>
                <Trans>Withdraw</Trans>
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Apply() {
  const { t } = useLingui();
  const queries = useQueryClient();
  const [words, setWords] = useState("");
  const [wrong, setWrong] = useState<Wrong>();
  const [isBusy, setBusy] = useState(false);
  const [count, setCount] = useState(0);
  const [key, setKey] = useState(newKey);
  const clinics = useQuery({
    queryKey: ["clinics", words],
    queryFn: async () =>
      answered(await api.GET("/v1/clinics", { params: { query: { query: words, limit: CLINICS_SHOWN } } })).items,
    placeholderData: (before) => before,
  });
  const send = async (values: Record<string, string>) => {
    const empty = [...FIELDS, "clinic" as const].filter((name) => (values[name] ?? "").trim() === "");
    if (empty.length > 0) {
      return setWrong({ fields: Object.fromEntries(empty.map((name) => [name, msg`Please fill this in.`])) });
    }
    setBusy(true);
    const [name, specialty, country, licence] = FIELDS.map((one) => values[one]!.trim());
    const { error } = await api.POST("/v1/me/applications", {
      params: { header: { "Idempotency-Key": key } },
      body: {
        clinic_id: values["clinic"]!,
        name: name!,
        specialty: specialty!,
        country: country!.toUpperCase(),
        licence: licence!,
        registry: (values["registry"] ?? "").trim(),
        documents: (values["documents"] ?? "").split(/\s+/).filter(Boolean),
      },
    });
    setBusy(false);
    setKey(newKey());
    if (error !== undefined) return setWrong(wrongOf(error.code, error));
    setWrong(undefined);
    setCount(count + 1);
    speakOut(t`Your application is sent.`);
    await queries.invalidateQueries({ queryKey: ["my-applications"] });
  };
  return (
    <section className="card" aria-labelledby="apply">
      <h2 id="apply">
        <Trans>Apply at a clinic</Trans>
      </h2>
      {count > 0 && (
        <p className="notice good" role="status">
          <Trans>Your application is sent. The clinic decides, and you see its answer here.</Trans>
        </p>
      )}
      <div className="field">
        <label htmlFor="clinic-words">
          <Trans>Find the clinic</Trans>
        </label>
        <input id="clinic-words" className="input" type="search" value={words} onChange={(event) => setWords(event.target.value)} />
      </div>
      <Form
        key={count}
        wrong={wrong}
        isBusy={isBusy}
        submit={<Trans>Send the application</Trans>}
        onSubmit={(values) => void send(values)}
      >
        <div className="field">
          <label htmlFor="apply-clinic">
            <Trans>Clinic</Trans>
          </label>
          <select id="apply-clinic" name="clinic" className="input">
            {(clinics.data ?? []).map((one) => (
              <option key={one.clinic_id} value={one.clinic_id}>
                {[one.name, one.city].filter(Boolean).join(", ")}
              </option>
            ))}
          </select>
        </div>
        <Field name="name" label={<Trans>Your name, as patients read it</Trans>} autoComplete="name" maxLength={200} wrong={wrong} />
        <Field name="specialty" label={<Trans>Specialty</Trans>} maxLength={200} wrong={wrong} />
        <Field name="licence" label={<Trans>Number of your licence</Trans>} autoComplete="off" maxLength={200} wrong={wrong} />
        <Field
          name="registry"
          label={<Trans>Registry of the licence (optional)</Trans>}
          hint={
            <Trans>
              Where a country has more than one: the state, the chamber or the council that keeps it, as GMC, Bavaria or
              California.
            </Trans>
          }
          autoComplete="off"
          maxLength={60}
          wrong={wrong}
        />
        <Field name="country" label={<Trans>Country of the licence (two letters)</Trans>} maxLength={2} autoComplete="country" wrong={wrong} />
        <Field
          name="documents"
          label={<Trans>Addresses of your papers (optional)</Trans>}
          hint={<Trans>Separated by spaces. The clinic opens them.</Trans>}
          autoComplete="off"
          wrong={wrong}
        />
      </Form>
    </section>
  );
}
