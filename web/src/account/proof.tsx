/** Asks the person at this page to prove who they are, where the server asks for a fresh proof. */
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { answered, api } from "../app/api";
import { session, type Entered } from "../app/session";
import { enter as enterRoom } from "../i18n";
import { Dialog } from "../ui/dialog";
import { Field, Form, wrongOf, type Wrong } from "./form";
import { awaitedOf, SecondStep, type Awaited } from "./second";

/** Demo people have no password; their addresses begin with who they are. */
const DEMO_PERSON = /^([a-z_]+)@demo\.example\.org$/;

let asked: Promise<boolean> | undefined;

/**
 * Whether the person proved who they are; several requests at once ask one question.
 *
 * `isRead`: what a page reads by itself does not ask a person without a second step for one.
 */
export async function prove(code: string, isRead = false): Promise<boolean> {
  const needsFactor = code === "second_factor_required";
  if (isRead && needsFactor && asked === undefined && !(await hasStep())) return false;
  asked ??= ask(needsFactor).finally(() => {
    asked = undefined;
  });
  return asked;
}

/** The dialog stands beside the page, so that nothing of the page changes meanwhile. */
async function ask(needsFactor: boolean): Promise<boolean> {
  await enterRoom("account");
  const here = session.context()?.subject;
  const place = document.body.appendChild(document.createElement("div"));
  const root = createRoot(place);
  const isProved = await new Promise<boolean>((done) => {
    const stop = session.watch(() => {
      // Signed out, or another person or role: what waited is not theirs.
      if (session.context()?.subject === here) return;
      stop();
      done(false);
    });
    const end = (proved: boolean) => {
      stop();
      done(proved);
    };
    root.render(
      <I18nProvider i18n={i18n}>
        <Proof needsFactor={needsFactor} onEnd={end} />
      </I18nProvider>,
    );
  });
  root.unmount();
  place.remove();
  return isProved;
}

/** What this account can prove itself by; `linked`: accounts at other sites. */
interface Ways {
  step: Awaited | undefined;
  persona: string | undefined;
  linked: { name: string; title: string }[];
}

async function waysOf(): Promise<Ways> {
  const [begun, me, providers] = await Promise.all([
    session.step("reauthenticate/flow"),
    api.GET("/v1/me"),
    api.GET("/v1/auth/oidc"),
  ]);
  const email = me.error === undefined ? answered(me).email : "";
  const offered = providers.data?.items ?? [];
  const mine = offered.length === 0 ? undefined : await api.GET("/v1/auth/identities");
  const linked = offered.filter(({ name }) => mine?.data?.items.some(({ provider }) => provider === name));
  return { step: awaitedOf(begun), persona: DEMO_PERSON.exec(email)?.[1], linked };
}

async function hasStep(): Promise<boolean> {
  const { step, persona } = await waysOf();
  return step !== undefined || persona !== undefined;
}

function Proof({ needsFactor, onEnd }: { needsFactor: boolean; onEnd: (proved: boolean) => void }) {
  const { t } = useLingui();
  const [ways, setWays] = useState<Ways>();
  const [byPassword, setByPassword] = useState(!needsFactor);
  useEffect(() => {
    void waysOf().then(setWays);
  }, []);
  const close = () => onEnd(false);
  const step = ways?.step;
  return (
    <Dialog title={t`Is it you?`} onClose={close}>
      <p>
        <Trans>This needs a fresh proof of who you are. What you did goes on after it.</Trans>
      </p>
      {ways === undefined ? (
        <p aria-busy="true" />
      ) : ways.persona !== undefined ? (
        <DemoPerson persona={ways.persona} onDone={() => onEnd(true)} />
      ) : byPassword ? (
        <>
          <Password onDone={() => onEnd(true)} />
          <Linked linked={ways.linked} />
        </>
      ) : step !== undefined ? (
        <SecondStep step={step} onDone={() => onEnd(true)} />
      ) : (
        <>
          <p className="notice bad" role="alert">
            <Trans>Your account has no second step yet. Add one in your settings first.</Trans>
          </p>
          <a className="button" href="/me/settings">
            <Trans>Settings and devices</Trans>
          </a>
        </>
      )}
      <div className="row">
        {step !== undefined && !needsFactor && (
          <button className="button" type="button" onClick={() => setByPassword(!byPassword)}>
            {byPassword ? <Trans>Use your second step</Trans> : <Trans>Use your password</Trans>}
          </button>
        )}
        <button className="button" type="button" onClick={close}>
          <Trans>Close</Trans>
        </button>
      </div>
    </Dialog>
  );
}

function Password({ onDone }: { onDone: () => void }) {
  const { send, wrong, isBusy } = useProof(onDone);
  return (
    <Form
      wrong={wrong}
      isBusy={isBusy}
      submit={<Trans>Go on</Trans>}
      onSubmit={(values) => send(session.prove(values["proof"] ?? ""))}
    >
      <Field
        name="proof"
        type="password"
        autoComplete="current-password"
        label={<Trans>Your password, once more</Trans>}
        wrong={wrong}
      />
    </Form>
  );
}

/** For people who signed in by another site and have no password: they leave, and come back here. */
function Linked({ linked }: Pick<Ways, "linked">) {
  const { i18n } = useLingui();
  const [wrong, setWrong] = useState<Wrong>();
  if (linked.length === 0) return null;
  const leave = async (provider: string) => {
    const { data, error } = await api.POST("/v1/auth/oidc/{provider}/prove", {
      params: { path: { provider } },
      body: { return_to: location.pathname + location.search },
    });
    if (error !== undefined) return setWrong(wrongOf(error.code));
    location.assign(data.url);
  };
  return (
    <div className="stack tight">
      <p className="quiet">
        <Trans>Or sign in there once more. You come back to this page, and do again what you wanted to do.</Trans>
      </p>
      {wrong?.whole !== undefined && (
        <p className="notice bad" role="alert">
          {i18n._(wrong.whole)}
        </p>
      )}
      {linked.map(({ name, title }) => (
        <button key={name} className="button" type="button" onClick={() => void leave(name)}>
          <span>
            <Trans>
              Go on with <bdi>{title}</bdi>
            </Trans>
          </span>
        </button>
      ))}
    </div>
  );
}

function DemoPerson({ persona, onDone }: { persona: string; onDone: () => void }) {
  const { send, wrong, isBusy } = useProof(onDone);
  return (
    <Form wrong={wrong} isBusy={isBusy} submit={<Trans>Go on</Trans>} onSubmit={() => send(session.enterDemo(persona))}>
      <p className="quiet">
        <Trans>A demo's people have no password: nothing is asked.</Trans>
      </p>
    </Form>
  );
}

function useProof(onDone: () => void) {
  const [wrong, setWrong] = useState<Wrong>();
  const [isBusy, setBusy] = useState(false);
  const settle = async (answer: Promise<Entered>) => {
    setBusy(true);
    const found = await answer;
    setBusy(false);
    if (found.signed === undefined) setWrong(wrongOf(found.code, found.body));
    else onDone();
  };
  return { wrong, isBusy, send: (answer: Promise<Entered>) => void settle(answer) };
}
