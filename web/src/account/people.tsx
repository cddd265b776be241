import { msg } from "@lingui/core/macro";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api, newKey } from "../app/api";
import { session } from "../app/session";
import { useContextOfSession } from "../app/shell";
import { HERE, say } from "../app/time";
import { speakOut } from "../ui/spoken";
import { Field, Form, wrongOf, type Wrong } from "./form";

/** People I care for, and people who may act for me. */
export function People() {
  const context = useContextOfSession();
  if (context?.role !== "patient") return null;
  return (
    <>
      <Dependants />
      <Guardians />
    </>
  );
}

function Dependants() {
  const { t } = useLingui();
  const [isOpen, setOpen] = useState(false);
  const [wrong, setWrong] = useState<Wrong>();
  const add = async (values: Record<string, string>) => {
    if (!values["given_name"] || !values["family_name"] || !values["birth_date"]) {
      const text = msg`Write the name and the day of birth.`;
      return setWrong({ fields: {}, whole: text });
    }
    const { error } = await api.POST("/v1/me/dependants", {
      params: { header: { "Idempotency-Key": newKey() } },
      body: {
        given_name: values["given_name"],
        family_name: values["family_name"],
        birth_date: values["birth_date"],
        basis: "parental",
      },
    });
    if (error !== undefined) return setWrong(wrongOf(error.code, error));
    setWrong(undefined);
    setOpen(false);
    speakOut(t`Added. Choose in the account's menu for whom you act.`);
    // The new role is in the next token.
    await session.refresh();
  };
  const own = session.contexts().filter((one) => one.role === "guardian");
  return (
    <section className="card" aria-labelledby="dependants">
      <h2 id="dependants">
        <Trans>People I care for</Trans>
      </h2>
      <p className="quiet">
        <Trans>Add a child, then book and see visits for them: choose in the account's menu for whom you act.</Trans>
      </p>
      {own.length > 0 && (
        <p>
          <Plural value={own.length} one="You act for # person." other="You act for # people." />
        </p>
      )}
      {isOpen ? (
        <Form wrong={wrong} isBusy={false} submit={<Trans>Add</Trans>} onSubmit={(values) => void add(values)}>
          <Field name="given_name" label={<Trans>Given name</Trans>} wrong={wrong} />
          <Field name="family_name" label={<Trans>Family name</Trans>} wrong={wrong} />
          <Field name="birth_date" type="date" label={<Trans>Born on</Trans>} wrong={wrong} />
        </Form>
      ) : (
        <div>
          <button className="button small" type="button" onClick={() => setOpen(true)}>
            <Trans>Add a child</Trans>
          </button>
        </div>
      )}
    </section>
  );
}

function Guardians() {
  const { t } = useLingui();
  const queries = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  const [wrong, setWrong] = useState<Wrong>();
  const [sentTo, setSentTo] = useState<string>();
  const found = useQuery({
    queryKey: ["guardians"],
    retry: false,
    queryFn: async () => answered(await api.GET("/v1/me/guardians")).items,
  });
  const invite = async (values: Record<string, string>) => {
    const email = values["email"] ?? "";
    const { error } = await api.POST("/v1/me/guardians", {
      params: { header: { "Idempotency-Key": newKey() } },
      body: { email, scope: (values["scope"] ?? "book") as "book", basis: "consent" },
    });
    if (error !== undefined) return setWrong(wrongOf(error.code, error));
    setWrong(undefined);
    setSentTo(email);
    setOpen(false);
  };
  const end = async (guardianship_id: string) => {
    await api.DELETE("/v1/me/guardians/{guardianship_id}", { params: { path: { guardianship_id } } });
    speakOut(t`Ended.`);
    await queries.invalidateQueries({ queryKey: ["guardians"] });
  };
  if (found.isError) return null;
  return (
    <section className="card" aria-labelledby="guardians">
      <h2 id="guardians">
        <Trans>Who may act for me</Trans>
      </h2>
      {found.data?.length === 0 && (
        <p className="quiet">
          <Trans>No one but you.</Trans>
        </p>
      )}
      <ul className="plain-list">
        {(found.data ?? []).map((one) => (
          <li key={one.guardianship_id} className="session">
            <span>
              <Trans>
                Since <bdi>{say(one.since, HERE, { dateStyle: "medium" })}</bdi>
              </Trans>
              : <bdi>{one.scope}</bdi>
            </span>
            <button className="button small" type="button" onClick={() => void end(one.guardianship_id)}>
              <Trans>End it</Trans>
            </button>
          </li>
        ))}
      </ul>
      {sentTo !== undefined && (
        <p className="notice good" role="status">
          <Trans>
            We sent an invitation to <bdi>{sentTo}</bdi>.
          </Trans>
        </p>
      )}
      {isOpen ? (
        <Form wrong={wrong} isBusy={false} submit={<Trans>Send the invitation</Trans>} onSubmit={(values) => void invite(values)}>
          <Field name="email" type="email" label={<Trans>E-mail address</Trans>} wrong={wrong} />
          <div className="field">
            <label htmlFor="scope">
              <Trans>What they may do</Trans>
            </label>
            <select id="scope" name="scope" className="input" defaultValue="book">
              <option value="view">{t`see my visits`}</option>
              <option value="book">{t`see, book, move and cancel`}</option>
            </select>
          </div>
        </Form>
      ) : (
        <div>
          <button className="button small" type="button" onClick={() => setOpen(true)}>
            <Trans>Invite a person</Trans>
          </button>
        </div>
      )}
    </section>
  );
}
