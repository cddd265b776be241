import { Trans } from "@lingui/react/macro";
import { useState } from "react";
import { session, type Entered } from "../app/session";
import { Field, Form, wrongOf, type Wrong } from "./form";
import { madePasskey, usedPasskey } from "./passkey";
import { CodesOnce, TotpKey, type StartedTotp } from "./totp";

/** A sign-in that waits for a second step. */
export interface Awaited {
  flow: string;
  isNew: boolean;
  factors: readonly string[];
  phone: string | undefined;
}

/** What an answer of the password's step waits for, if it does. */
export function awaitedOf({ body }: Entered): Awaited | undefined {
  const status = body?.["status"];
  if (status !== "second_factor" && status !== "enrol_second_factor") return undefined;
  return {
    flow: String(body?.["flow"]),
    isNew: status === "enrol_second_factor",
    factors: (body?.["factors"] ?? []) as string[],
    phone: (body?.["phone"] ?? undefined) as string | undefined,
  };
}

interface Props {
  step: Awaited;
  onDone: (found: Entered) => void;
}

/** The second step of signing in: with what the account has, or by adding the first. */
export function SecondStep({ step, onDone }: Props) {
  return step.isNew ? <FirstFactor step={step} onDone={onDone} /> : <Prove step={step} onDone={onDone} />;
}

type Way = "totp" | "sms" | "recovery";

function Prove({ step, onDone }: Props) {
  const [way, setWay] = useState<Way>(() => (step.factors.includes("totp") ? "totp" : step.factors.includes("sms") ? "sms" : "recovery"));
  const [wrong, setWrong] = useState<Wrong>();
  const [isBusy, setBusy] = useState(false);
  const [isSent, setSent] = useState(false);
  const at = `flows/${step.flow}`;
  const settle = (found: Entered) => {
    if (found.signed === undefined) setWrong(wrongOf(found.code, found.body));
    else onDone(found);
  };
  const send = async (values: Record<string, string>) => {
    setBusy(true);
    settle(await session.step(`${at}/${way}`, { code: (values["code"] ?? "").replaceAll(" ", "") }));
    setBusy(false);
  };
  const byPasskey = async () => {
    const begun = await session.step(`${at}/webauthn/options`);
    if (begun.status !== 200) return settle(begun);
    const credential = await usedPasskey(begun.body?.["options"]);
    if (credential !== undefined) settle(await session.step(`${at}/webauthn`, { credential }));
  };
  const sms = async () => {
    const found = await session.step(`${at}/sms/send`);
    if (found.status === 200) {
      setWay("sms");
      setSent(true);
    } else settle(found);
  };
  return (
    <>
      {step.factors.includes("passkey") && (
        <button className="button primary" type="button" onClick={() => void byPasskey()}>
          <Trans>Use a passkey</Trans>
        </button>
      )}
      {isSent && (
        <p role="status">
          <Trans>We sent a code to the number that ends in {step.phone}.</Trans>
        </p>
      )}
      <Form wrong={wrong} isBusy={isBusy} submit={<Trans>Go on</Trans>} onSubmit={(values) => void send(values)}>
        <Field
          key={way}
          name="code"
          inputMode={way === "recovery" ? "text" : "numeric"}
          autoComplete="one-time-code"
          label={
            way === "totp" ? (
              <Trans>Code of your authenticator app</Trans>
            ) : way === "sms" ? (
              <Trans>Code that was sent to you</Trans>
            ) : (
              <Trans>One of your recovery codes</Trans>
            )
          }
          wrong={wrong}
        />
      </Form>
      <p className="row">
        {step.factors.includes("sms") && (
          <button className="button small" type="button" onClick={() => void sms()}>
            <Trans>Send a code to my phone</Trans>
          </button>
        )}
        {way !== "recovery" && (
          <button className="button small" type="button" onClick={() => setWay("recovery")}>
            <Trans>Use a recovery code</Trans>
          </button>
        )}
        {way === "recovery" && step.factors.includes("totp") && (
          <button className="button small" type="button" onClick={() => setWay("totp")}>
            <Trans>Use the app</Trans>
          </button>
        )}
      </p>
    </>
  );
}

/** The account's role needs a second step, and it has none yet. */
function FirstFactor({ step, onDone }: Props) {
  const [started, setStarted] = useState<StartedTotp>();
  const [wrong, setWrong] = useState<Wrong>();
  const [done, setDone] = useState<Entered>();
  const at = `flows/${step.flow}/factors`;
  const settle = (found: Entered) => {
    if (found.signed === undefined) setWrong(wrongOf(found.code, found.body));
    else setDone(found);
  };
  const begin = async () => {
    const found = await session.step(`${at}/totp`);
    if (found.status === 200) setStarted(found.body as unknown as StartedTotp);
    else settle(found);
  };
  const passkey = async () => {
    const begun = await session.step(`${at}/passkey`);
    if (begun.status !== 200) return settle(begun);
    const credential = await madePasskey(begun.body?.["options"]);
    if (credential === undefined) return;
    settle(await session.step(`${at}/${String(begun.body?.["factor_id"])}/confirm`, { credential }));
  };
  if (done !== undefined) {
    return <CodesOnce codes={(done.body?.["recovery_codes"] ?? []) as string[]} onDone={() => onDone(done)} />;
  }
  if (started !== undefined) {
    return (
      <TotpKey
        started={started}
        wrong={wrong}
        onCode={(code) => void session.step(`${at}/${started.factor_id}/confirm`, { code }).then(settle)}
      />
    );
  }
  return (
    <>
      <p>
        <Trans>Your role sees patients' data. It needs a second step, which you add now.</Trans>
      </p>
      <button className="button primary" type="button" onClick={() => void begin()}>
        <Trans>Add an authenticator app</Trans>
      </button>
      <button className="button" type="button" onClick={() => void passkey()}>
        <Trans>Add a passkey</Trans>
      </button>
    </>
  );
}
