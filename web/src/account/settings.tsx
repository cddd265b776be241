import "./account.css";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api, type Schemas } from "../app/api";
import { isOwnDevice, setOwnDevice } from "../app/offline";
import { session } from "../app/session";
import { useFollow } from "../app/shell";
import { clock, HERE, say, setClock, type ClockChoice } from "../app/time";
import { LOCALES, speak, type Locale } from "../i18n";
import { speakOut } from "../ui/spoken";
import { Gate } from "../ui/gate";
import { FeedLink } from "./feedlink";
import { Field, Form, wrongOf, type Wrong } from "./form";
import { MORE_SETTINGS } from "./more";

/** Everything of one's account: language, clock, password, devices. */
export function SettingsPage() {
  return (
    <Gate>
      <div className="settings medium">
        <h1>
          <Trans>Settings and devices</Trans>
        </h1>
        <Account />
        <Display />
        <Password />
        {MORE_SETTINGS.map((More, index) => (
          <More key={index} />
        ))}
        <Devices />
      </div>
    </Gate>
  );
}

function Account() {
  const follow = useFollow();
  const me = useQuery({ queryKey: ["me"], queryFn: async () => answered(await api.GET("/v1/me")) });
  const [isOpen, setOpen] = useState(false);
  const [sentTo, setSentTo] = useState<string>();
  const [wrong, setWrong] = useState<Wrong>();
  const change = async (email: string) => {
    const { error } = await api.POST("/v1/auth/email/change", { body: { email } });
    if (error !== undefined) return setWrong(wrongOf(error.code, error));
    setSentTo(email);
    setOpen(false);
  };
  return (
    <section className="card" aria-labelledby="account">
      <h2 id="account">
        <Trans>Account</Trans>
      </h2>
      <p>
        <bdi>{me.data?.email ?? " "}</bdi>
      </p>
      {sentTo !== undefined && (
        <p className="notice good" role="status">
          <Trans>
            We sent a link to <bdi>{sentTo}</bdi>. Your address changes when you open it.
          </Trans>
        </p>
      )}
      {isOpen ? (
        <Form
          wrong={wrong}
          isBusy={false}
          submit={<Trans>Send the link</Trans>}
          onSubmit={(values) => void change(values["email"] ?? "")}
        >
          <Field name="email" type="email" autoComplete="email" label={<Trans>New e-mail address</Trans>} wrong={wrong} />
        </Form>
      ) : (
        <div className="row">
          <button className="button small" type="button" onClick={() => setOpen(true)}>
            <Trans>Change the address</Trans>
          </button>
          <FeedLink />
          <a className="button small" href="/me/applications" onClick={follow}>
            <Trans>Work here as a doctor</Trans>
          </a>
        </div>
      )}
    </section>
  );
}

function Display() {
  const { i18n } = useLingui();
  const [isOwn, setOwn] = useState(isOwnDevice);
  const [chosen, setChosen] = useState(clock);
  return (
    <section className="card" aria-labelledby="display">
      <h2 id="display">
        <Trans>This device</Trans>
      </h2>
      <div className="field">
        <label htmlFor="language">
          <Trans>Language</Trans>
        </label>
        <select
          id="language"
          className="input"
          value={i18n.locale}
          onChange={(event) => void speak(event.target.value as Locale)}
        >
          {Object.entries(LOCALES).map(([locale, name]) => (
            <option key={locale} value={locale} lang={locale}>
              {name}
            </option>
          ))}
        </select>
      </div>
      <div className="field">
        <label htmlFor="clock">
          <Trans>Times of visits</Trans>
        </label>
        <select
          id="clock"
          className="input"
          value={chosen}
          onChange={(event) => {
            setClock(event.target.value as ClockChoice);
            setChosen(event.target.value as ClockChoice);
          }}
        >
          <option value="clinic">
            <Trans>on the clinic's clock</Trans>
          </option>
          <option value="both">
            <Trans>on the clinic's clock, and on mine ({HERE})</Trans>
          </option>
        </select>
      </div>
      <label className="check">
        <input
          type="checkbox"
          checked={isOwn}
          onChange={(event) => {
            setOwnDevice(event.target.checked);
            setOwn(event.target.checked);
          }}
        />
        <span>
          <Trans>This is my own device</Trans>
          <span className="quiet small block">
            <Trans>Your visits are kept on it, to be seen without a connection.</Trans>
          </span>
        </span>
      </label>
    </section>
  );
}

function Password() {
  const { t } = useLingui();
  const [wrong, setWrong] = useState<Wrong>();
  const [isBusy, setBusy] = useState(false);
  const [isDone, setDone] = useState(false);
  const change = async (values: Record<string, string>) => {
    setBusy(true);
    const found = await changed(values["current"] ?? "", values["password"] ?? "");
    setBusy(false);
    setWrong(found);
    setDone(found === undefined);
    if (found === undefined) speakOut(t`Your password is changed.`);
  };
  return (
    <section className="card" aria-labelledby="password">
      <h2 id="password">
        <Trans>Password</Trans>
      </h2>
      {isDone ? (
        <p className="notice good" role="status">
          <Trans>Your password is changed. Your other devices were signed out.</Trans>
        </p>
      ) : (
        <Form
          wrong={wrong}
          isBusy={isBusy}
          submit={<Trans>Change the password</Trans>}
          onSubmit={(values) => void change(values)}
        >
          <Field
            name="current"
            type="password"
            autoComplete="current-password"
            label={<Trans>Present password</Trans>}
            wrong={wrong}
          />
          <Field
            name="password"
            type="password"
            autoComplete="new-password"
            label={<Trans>New password</Trans>}
            hint={<Trans>8 characters or more. Three unrelated words are good.</Trans>}
            wrong={wrong}
          />
        </Form>
      )}
    </section>
  );
}

/** Prove who is here, then change; what is wrong if it did not work. */
async function changed(current: string, password: string): Promise<Wrong | undefined> {
  const proved = await session.prove(current);
  if (proved.signed === undefined) return wrongOf(proved.code, proved.body);
  const { error } = await api.POST("/v1/auth/password/change", { body: { password } });
  return error === undefined ? undefined : wrongOf(error.code, error);
}

function Devices() {
  const { t } = useLingui();
  const queries = useQueryClient();
  const found = useQuery({
    queryKey: ["sessions"],
    queryFn: async () => answered(await api.GET("/v1/auth/sessions")).items,
  });
  const end = async (one: Schemas["SessionAnswer"]) => {
    await api.DELETE("/v1/auth/sessions/{session_id}", { params: { path: { session_id: one.session_id } } });
    await queries.invalidateQueries({ queryKey: ["sessions"] });
    speakOut(t`The device was signed out.`);
  };
  const others = (found.data ?? []).filter((one) => !one.current).length;
  return (
    <section className="card" aria-labelledby="devices">
      <div className="row between">
        <h2 id="devices">
          <Trans>Signed-in devices</Trans>
        </h2>
        {others > 0 && (
          <button className="button danger small" type="button" onClick={() => void session.leave(true)}>
            <Trans>Sign out everywhere</Trans>
          </button>
        )}
      </div>
      <ul className="plain-list" aria-busy={found.isPending}>
        {(found.data ?? []).map((one) => (
          <li key={one.session_id} className="session">
            <div>
              <strong>
                <bdi>{deviceOf(one.agent) || t`Unknown device`}</bdi>
              </strong>{" "}
              {one.current && (
                <span className="chip">
                  <Trans>this one</Trans>
                </span>
              )}
              <p className="quiet small">
                <Trans>
                  Last active <bdi>{say(one.active_at, HERE, { dateStyle: "medium", timeStyle: "short" })}</bdi>
                </Trans>
              </p>
            </div>
            {!one.current && (
              <button className="button small" type="button" onClick={() => void end(one)}>
                <Trans>Sign out</Trans>
              </button>
            )}
          </li>
        ))}
      </ul>
      <p className="quiet small">
        <Plural value={others} _0="No other device is signed in." one="# other device is signed in." other="# other devices are signed in." />
      </p>
    </section>
  );
}

/** "Firefox, Linux" of a user agent: what a person recognises. */
export function deviceOf(agent: string): string {
  const browser = /(Edg|OPR|Firefox|Chrome|Safari)\//.exec(agent)?.[1];
  const system = /(Android|iPhone|iPad|Windows|Mac OS X|Linux)/.exec(agent)?.[1];
  const name = { Edg: "Edge", OPR: "Opera" }[browser ?? ""] ?? browser;
  return [name, system === "Mac OS X" ? "macOS" : system].filter(Boolean).join(", ");
}
