import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api, type Schemas } from "../app/api";
import { session } from "../app/session";
import { HERE, say } from "../app/time";
import { speakOut } from "../ui/spoken";
import { wrongOf, type Wrong } from "./form";
import { CAN_PASSKEY, madePasskey } from "./passkey";
import { CodesOnce, TotpKey, type StartedTotp } from "./totp";

type Refusal = { code: string } | undefined;

/** The second steps of signing in: an app, passkeys, recovery codes. */
export function Factors() {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const [started, setStarted] = useState<StartedTotp>();
  const [codes, setCodes] = useState<readonly string[]>();
  const [wrong, setWrong] = useState<Wrong>();
  const found = useQuery({
    queryKey: ["factors"],
    queryFn: async () => answered(await api.GET("/v1/auth/factors")),
  });
  const refuse = (refusal: Refusal) => setWrong(wrongOf(refusal?.code));
  const added = async (answer: Schemas["EnrolledAnswer"]) => {
    setStarted(undefined);
    setWrong(undefined);
    setCodes(answer.recovery_codes.length > 0 ? answer.recovery_codes : undefined);
    speakOut(t`The second step is added.`);
    // The token of before does not say yet that this session has two factors.
    await session.refresh();
    await queries.invalidateQueries({ queryKey: ["factors"] });
  };
  const confirm = async (factor_id: string, body: Schemas["ConfirmBody"]) => {
    const answer = await api.POST("/v1/auth/factors/{factor_id}/confirm", {
      params: { path: { factor_id } },
      body,
    });
    if (answer.error === undefined) return added(answer.data);
    refuse(answer.error);
  };
  const addApp = async () => {
    const answer = await api.POST("/v1/auth/factors/totp");
    if (answer.error === undefined) setStarted(answer.data);
    else refuse(answer.error);
  };
  const addPasskey = async () => {
    const answer = await api.POST("/v1/auth/factors/passkey");
    if (answer.error !== undefined) return refuse(answer.error);
    const credential = await madePasskey(answer.data.options);
    if (credential === undefined) return;
    await confirm(answer.data.factor_id, {
      code: "",
      label: t`Passkey`,
      credential: credential as Record<string, unknown>,
    });
  };
  const remove = async (factor_id: string) => {
    const answer = await api.DELETE("/v1/auth/factors/{factor_id}", { params: { path: { factor_id } } });
    if (answer.error !== undefined) return refuse(answer.error);
    speakOut(t`The second step is removed.`);
    await queries.invalidateQueries({ queryKey: ["factors"] });
  };
  const renew = async () => {
    const answer = await api.POST("/v1/auth/recovery-codes");
    if (answer.error !== undefined) return refuse(answer.error);
    setCodes(answer.data.recovery_codes);
    await queries.invalidateQueries({ queryKey: ["factors"] });
  };
  const items = found.data?.items ?? [];
  return (
    <section className="card" aria-labelledby="factors">
      <h2 id="factors">
        <Trans>Second step of signing in</Trans>
      </h2>
      <p className="quiet">
        <Trans>A passkey, or a code of an app, beside your password: then a stolen password opens nothing.</Trans>
      </p>
      {wrong?.whole !== undefined && (
        <p className="notice bad" role="alert">
          {i18n._(wrong.whole)}
        </p>
      )}
      <ul className="plain-list">
        {items.map((one) => (
          <li key={one.factor_id} className="session">
            <div>
              <strong>{one.label || <FactorName kind={one.kind} />}</strong>
              <p className="quiet small">
                <Trans>
                  Since <bdi>{say(one.created_at, HERE, { dateStyle: "medium" })}</bdi>
                </Trans>
              </p>
            </div>
            <button className="button small" type="button" onClick={() => void remove(one.factor_id)}>
              <Trans>Remove</Trans>
            </button>
          </li>
        ))}
      </ul>
      {codes !== undefined ? (
        <CodesOnce codes={codes} onDone={() => setCodes(undefined)} />
      ) : started !== undefined ? (
        <TotpKey
          started={started}
          wrong={wrong}
          onCode={(code) => void confirm(started.factor_id, { code, label: "" })}
        />
      ) : (
        <div className="row">
          <button className="button" type="button" onClick={() => void addApp()}>
            <Trans>Add an authenticator app</Trans>
          </button>
          {CAN_PASSKEY && (
            <button className="button" type="button" onClick={() => void addPasskey()}>
              <Trans>Add a passkey</Trans>
            </button>
          )}
          {items.length > 0 && (
            <button className="button" type="button" onClick={() => void renew()}>
              <Trans>New recovery codes</Trans>
            </button>
          )}
        </div>
      )}
      {items.length > 0 && (
        <p className="quiet small">
          <Plural
            value={found.data?.recovery_codes_left ?? 0}
            _0="No recovery code is left."
            one="# recovery code is left."
            other="# recovery codes are left."
          />
        </p>
      )}
    </section>
  );
}

function FactorName({ kind }: { kind: string }) {
  if (kind === "totp") return <Trans>Authenticator app</Trans>;
  if (kind === "sms") return <Trans>Phone</Trans>;
  return <Trans>Passkey</Trans>;
}
