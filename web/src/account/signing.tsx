import "./account.css";
import { msg } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { api } from "../app/api";
import { DEMO_PEOPLE } from "../app/demo";
import { linkToken } from "../app/links";
import { setOwnDevice } from "../app/offline";
import { session, type Context } from "../app/session";
import { useContextOfSession, useFollow } from "../app/shell";
import { useSite } from "../app/site";
import { homeOf } from "../patient/home";
import { Icon } from "../ui/icons";
import { Field, Form, wrongOf, type Wrong } from "./form";
import { cameBack, leftOwnDevice, ProviderButtons } from "./outside";
import { CAN_PASSKEY, signInByPasskey } from "./passkey";
import { awaitedOf, SecondStep, type Awaited } from "./second";

const login = getRouteApi("/login");

function Narrow({ title, children }: { title: ReactNode; children: ReactNode }) {
  return (
    <div className="narrow stack card signing">
      <h1>{title}</h1>
      {children}
    </div>
  );
}

/** Where a person goes on after signing in: back where they wanted to be, else their home. */
function useGoOn() {
  const navigate = useNavigate();
  const { then } = login.useSearch();
  return (context: Context) => {
    // An address of another site must not be reached by way of ours.
    const wanted = then === undefined ? undefined : new URL(then, location.origin);
    const isOurs = wanted?.origin === location.origin;
    const href = isOurs ? wanted!.pathname + wanted!.search : homeOf(context);
    void navigate({ href, replace: true });
  };
}

/** Signed in by an identity provider: the page goes on as soon as it is known who is here. */
function useWelcomeBack() {
  const goOn = useGoOn();
  const context = useContextOfSession();
  const [isBack] = useState(() => session.cameBack());
  useEffect(() => {
    if (isBack && context !== undefined) goOn(context);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once, when the person is known
  }, [isBack, context]);
}

function wrongOutside(): Wrong | undefined {
  const { error } = cameBack();
  return error === undefined ? undefined : wrongOf(error);
}

function awaitedOutside(): { step: Awaited; isOwn: boolean } | undefined {
  const { flow, status, factors } = cameBack();
  if (flow === undefined) return undefined;
  const isNew = status === "enrol_second_factor";
  const given = (factors ?? "").split(",").filter(Boolean);
  return { step: { flow, isNew, factors: given, phone: undefined }, isOwn: leftOwnDevice() };
}

export function LoginPage() {
  const follow = useFollow();
  const goOn = useGoOn();
  const { then } = login.useSearch();
  const [wrong, setWrong] = useState<Wrong | undefined>(wrongOutside);
  const [isBusy, setBusy] = useState(false);
  const [awaited, setAwaited] = useState<{ step: Awaited; isOwn: boolean } | undefined>(awaitedOutside);
  const own = useRef<HTMLInputElement>(null);
  useWelcomeBack();
  const enter = async (values: Record<string, string>) => {
    const missing = needed(values, "email", "password");
    if (missing !== undefined) return setWrong(missing);
    setBusy(true);
    const isOwn = values["own"] === "on";
    const found = await session.enter(values["email"]!, values["password"]!, isOwn);
    setBusy(false);
    const step = awaitedOf(found);
    if (step !== undefined) return setAwaited({ step, isOwn });
    if (found.signed === undefined) return setWrong(wrongOf(found.code, found.body));
    setOwnDevice(isOwn);
    goOn(found.signed.context);
  };
  const byPasskey = async () => {
    const found = await signInByPasskey();
    if (found === undefined) return;
    if (found.signed === undefined) return setWrong(wrongOf(found.code, found.body));
    goOn(found.signed.context);
  };
  if (awaited !== undefined) {
    return (
      <Narrow title={<Trans>Second step</Trans>}>
        <SecondStep
          step={awaited.step}
          onDone={(found) => {
            setOwnDevice(awaited.isOwn);
            goOn(found.signed!.context);
          }}
        />
      </Narrow>
    );
  }
  return (
    <Narrow title={<Trans>Sign in</Trans>}>
      <Form
        wrong={wrong}
        isBusy={isBusy}
        submit={<Trans>Sign in</Trans>}
        onSubmit={(values) => void enter(values)}
      >
        <Field
          name="email"
          type="email"
          autoComplete="username"
          label={<Trans>E-mail address</Trans>}
          wrong={wrong}
        />
        <Field
          name="password"
          type="password"
          autoComplete="current-password"
          label={<Trans>Password</Trans>}
          wrong={wrong}
        />
        <label className="check">
          <input type="checkbox" name="own" ref={own} />
          <span>
            <Trans>This is my own device</Trans>
            <span className="quiet small block">
              <Trans>You stay signed in, and see your visits without a connection.</Trans>
            </span>
          </span>
        </label>
      </Form>
      {CAN_PASSKEY && (
        <button className="button" type="button" onClick={() => void byPasskey()}>
          <Icon name="shield" />
          <Trans>Sign in with a passkey</Trans>
        </button>
      )}
      <ProviderButtons
        then={then}
        isRemembered={() => {
          const isOwn = own.current?.checked === true;
          setOwnDevice(isOwn);
          return isOwn;
        }}
      />
      <p className="row between">
        <a href="/forgot-password" onClick={follow}>
          <Trans>Forgot your password?</Trans>
        </a>
        <a href="/join" onClick={follow}>
          <Trans>Make an account</Trans>
        </a>
      </p>
      <DemoPeople />
    </Narrow>
  );
}

function DemoPeople() {
  const { i18n } = useLingui();
  const site = useSite();
  const follow = useFollow();
  const goOn = useGoOn();
  const [failed, setFailed] = useState(false);
  if (site?.demo !== true) return null;
  const enter = async (persona: string) => {
    const found = await session.enterDemo(persona);
    setFailed(found.signed === undefined);
    if (found.signed !== undefined) goOn(found.signed.context);
  };
  return (
    <section className="stack demo-people" aria-labelledby="demo-people">
      <h2 id="demo-people">
        <Trans>This is a demo: come in as</Trans>
      </h2>
      <div className="two">
        {DEMO_PEOPLE.map(({ persona, icon, name }) => (
          <button key={persona} className="button" type="button" onClick={() => void enter(persona)}>
            <Icon name={icon} />
            {i18n._(name)}
          </button>
        ))}
      </div>
      {failed && (
        <p className="notice bad" role="alert">
          <Trans>That did not work. Please try again.</Trans>
        </p>
      )}
      <a href="/demo/messages" onClick={follow}>
        <Trans>Messages that this demo sent</Trans>
      </a>
    </section>
  );
}

/** A problem for each of these fields that is empty. */
function needed(values: Record<string, string>, ...names: string[]): Wrong | undefined {
  const empty = names.filter((name) => (values[name] ?? "") === "");
  if (empty.length === 0) return undefined;
  const text = { email: msg`Write your e-mail address.`, password: msg`Write a password.`, terms: msg`Accept the terms to go on.` };
  return { fields: Object.fromEntries(empty.map((name) => [name, text[name as keyof typeof text]])) };
}

export function JoinPage() {
  const { i18n } = useLingui();
  const follow = useFollow();
  const [wrong, setWrong] = useState<Wrong>();
  const [isBusy, setBusy] = useState(false);
  const [sentTo, setSentTo] = useState<string>();
  const join = async (values: Record<string, string>) => {
    const missing = needed(values, "email", "password", "terms");
    if (missing !== undefined) return setWrong(missing);
    setBusy(true);
    const { error } = await api.POST("/v1/auth/register", {
      body: { email: values["email"]!, password: values["password"]!, language: i18n.locale, terms: true },
    });
    setBusy(false);
    if (error === undefined) setSentTo(values["email"]);
    else setWrong(wrongOf(error.code, error));
  };
  if (sentTo !== undefined) return <Sent to={sentTo} />;
  return (
    <Narrow title={<Trans>Make an account</Trans>}>
      <p className="quiet">
        <Trans>To book visits, move and cancel them. It costs nothing.</Trans>
      </p>
      <Form
        wrong={wrong}
        isBusy={isBusy}
        submit={<Trans>Make an account</Trans>}
        onSubmit={(values) => void join(values)}
      >
        <Field
          name="email"
          type="email"
          autoComplete="username"
          label={<Trans>E-mail address</Trans>}
          wrong={wrong}
        />
        <Field
          name="password"
          type="password"
          autoComplete="new-password"
          label={<Trans>Password</Trans>}
          hint={<Trans>8 characters or more. Three unrelated words are good.</Trans>}
          wrong={wrong}
        />
        <label className="check">
          <input type="checkbox" name="terms" aria-invalid={wrong?.fields["terms"] !== undefined} />
          <span>
            <Trans>I accept the terms of this site.</Trans>
          </span>
        </label>
      </Form>
      <p>
        <Trans>You have an account?</Trans>{" "}
        <a href="/login" onClick={follow}>
          <Trans>Sign in</Trans>
        </a>
      </p>
    </Narrow>
  );
}

/** The same words whether the address is known or not. */
function Sent({ to }: { to: string }) {
  const site = useSite();
  const follow = useFollow();
  return (
    <Narrow title={<Trans>Look into your mail</Trans>}>
      <p role="status">
        <Trans>
          We sent a message to <bdi>{to}</bdi>. Open the link in it to go on.
        </Trans>
      </p>
      <p className="quiet">
        <Trans>Nothing there? Look into the folder for unwanted mail, or try again in a few minutes.</Trans>
      </p>
      {site?.demo === true && (
        <a className="button" href="/demo/messages" onClick={follow}>
          <Trans>Messages that this demo sent</Trans>
        </a>
      )}
    </Narrow>
  );
}

export function VerifyPage() {
  const follow = useFollow();
  const { i18n } = useLingui();
  const [state, setState] = useState<"asking" | "done" | Wrong>("asking");
  useEffect(() => {
    const token = linkToken() ?? "";
    void api.POST("/v1/auth/verify-email", { body: { token } }).then(({ error }) => {
      setState(error === undefined ? "done" : wrongOf(error.code));
    });
  }, []);
  if (state === "asking") return <div className="narrow card" aria-busy="true" />;
  if (state === "done") {
    return (
      <Narrow title={<Trans>Your address is confirmed</Trans>}>
        <p role="status">
          <Trans>You can sign in now.</Trans>
        </p>
        <a className="button primary" href="/login" onClick={follow}>
          <Trans>Sign in</Trans>
        </a>
      </Narrow>
    );
  }
  return (
    <Narrow title={<Trans>This link does not work</Trans>}>
      <p role="alert">
        {i18n._(state.whole ?? msg`This link was used, or its time is up. Ask for a new one.`)}
      </p>
      <p className="row">
        <a className="button" href="/login" onClick={follow}>
          <Trans>Sign in</Trans>
        </a>
        <a className="button" href="/join" onClick={follow}>
          <Trans>Make an account</Trans>
        </a>
      </p>
    </Narrow>
  );
}

export function ForgotPage() {
  const [wrong, setWrong] = useState<Wrong>();
  const [isBusy, setBusy] = useState(false);
  const [sentTo, setSentTo] = useState<string>();
  const send = async (values: Record<string, string>) => {
    const missing = needed(values, "email");
    if (missing !== undefined) return setWrong(missing);
    setBusy(true);
    const { error } = await api.POST("/v1/auth/password/forgot", { body: { email: values["email"]! } });
    setBusy(false);
    if (error === undefined) setSentTo(values["email"]);
    else setWrong(wrongOf(error.code, error));
  };
  if (sentTo !== undefined) return <Sent to={sentTo} />;
  return (
    <Narrow title={<Trans>Choose a new password</Trans>}>
      <p className="quiet">
        <Trans>We send a link to your address. It works for 30 minutes.</Trans>
      </p>
      <Form
        wrong={wrong}
        isBusy={isBusy}
        submit={<Trans>Send the link</Trans>}
        onSubmit={(values) => void send(values)}
      >
        <Field
          name="email"
          type="email"
          autoComplete="username"
          label={<Trans>E-mail address</Trans>}
          wrong={wrong}
        />
      </Form>
    </Narrow>
  );
}

export function ResetPage() {
  const follow = useFollow();
  const [wrong, setWrong] = useState<Wrong>();
  const [isBusy, setBusy] = useState(false);
  const [isDone, setDone] = useState(false);
  const reset = async (values: Record<string, string>) => {
    const missing = needed(values, "password");
    if (missing !== undefined) return setWrong(missing);
    setBusy(true);
    const { error } = await api.POST("/v1/auth/password/reset", {
      body: { token: linkToken() ?? "-".repeat(16), password: values["password"]! },
    });
    setBusy(false);
    if (error === undefined) setDone(true);
    else setWrong(wrongOf(error.code, error));
  };
  if (isDone) {
    return (
      <Narrow title={<Trans>Your password is changed</Trans>}>
        <p role="status">
          <Trans>All devices were signed out. Sign in with the new password.</Trans>
        </p>
        <a className="button primary" href="/login" onClick={follow}>
          <Trans>Sign in</Trans>
        </a>
      </Narrow>
    );
  }
  return (
    <Narrow title={<Trans>Choose a new password</Trans>}>
      <Form
        wrong={wrong}
        isBusy={isBusy}
        submit={<Trans>Save the password</Trans>}
        onSubmit={(values) => void reset(values)}
      >
        <Field
          name="password"
          type="password"
          autoComplete="new-password"
          label={<Trans>New password</Trans>}
          hint={<Trans>8 characters or more. Three unrelated words are good.</Trans>}
          wrong={wrong}
        />
      </Form>
    </Narrow>
  );
}
