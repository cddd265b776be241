import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api, newKey, type Schemas } from "../app/api";
import { useContextOfSession } from "../app/shell";
import { speakOut } from "../ui/spoken";
import { Field, Form, wrongOf, type Wrong } from "./form";

/** What clinics need to know of a patient: name, birth, phone. */
export function Profile() {
  const context = useContextOfSession();
  const found = useQuery({
    queryKey: ["profile", context?.subject],
    enabled: context?.role === "patient",
    retry: false,
    queryFn: async () => answered(await api.GET("/v1/me/profile")),
  });
  if (found.data === undefined) return null;
  return <Editor key={found.data.version} profile={found.data} />;
}

function Editor({ profile }: { profile: Schemas["PatientAnswer"] }) {
  const { t } = useLingui();
  const queries = useQueryClient();
  const [wrong, setWrong] = useState<Wrong>();
  const [isBusy, setBusy] = useState(false);
  const save = async (values: Record<string, string>) => {
    setBusy(true);
    const { error } = await api.PATCH("/v1/me/profile", {
      params: { header: { "Idempotency-Key": newKey() } },
      body: {
        given_name: values["given_name"] ?? "",
        family_name: values["family_name"] ?? "",
        phone: values["phone"] ?? "",
        ...(values["birth_date"] ? { birth_date: values["birth_date"] } : {}),
        version: profile.version,
      },
    });
    setBusy(false);
    if (error !== undefined) return setWrong(wrongOf(error.code, error));
    setWrong(undefined);
    speakOut(t`Your data are saved.`);
    await queries.invalidateQueries({ queryKey: ["profile"] });
    void queries.invalidateQueries({ queryKey: ["named"] });
  };
  return (
    <section className="card" aria-labelledby="profile">
      <h2 id="profile">
        <Trans>About you</Trans>
      </h2>
      <p className="quiet">
        <Trans>Clinics at which you have a visit see this, and no one else.</Trans>
      </p>
      <Form
        wrong={wrong}
        isBusy={isBusy}
        submit={<Trans>Save</Trans>}
        onSubmit={(values) => void save(values)}
      >
        <Field name="given_name" autoComplete="given-name" label={<Trans>Given name</Trans>} defaultValue={profile.given_name} wrong={wrong} />
        <Field name="family_name" autoComplete="family-name" label={<Trans>Family name</Trans>} defaultValue={profile.family_name} wrong={wrong} />
        <Field name="birth_date" type="date" autoComplete="bday" label={<Trans>Born on</Trans>} defaultValue={profile.birth_date} wrong={wrong} />
        <Field
          name="phone"
          type="tel"
          autoComplete="tel"
          label={<Trans>Phone</Trans>}
          hint={<Trans>With its country, like +44 117 496 0001.</Trans>}
          defaultValue={profile.phone}
          wrong={wrong}
        />
      </Form>
    </section>
  );
}
