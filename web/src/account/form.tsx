import { Trans, useLingui } from "@lingui/react/macro";
import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { createContext, useContext, useEffect, useId, useRef, type FormEvent, type InputHTMLAttributes, type ReactNode } from "react";
import { refusalText } from "../app/refusals";

/** What is wrong with a form: by field, and as a whole. */
export interface Wrong {
  fields: Record<string, MessageDescriptor>;
  whole?: MessageDescriptor | undefined;
}

const PASSWORD_WRONG: Record<string, MessageDescriptor> = {
  too_short: msg`Use 8 characters or more. Several unrelated words are easy to remember.`,
  too_long: msg`This password is too long.`,
  not_text: msg`This password has characters that cannot be typed again.`,
  common: msg`This password is among the first that attackers try. Choose another.`,
  about_you: msg`This can be guessed from your address or this site's name. Choose another.`,
};

const SAID: Record<string, MessageDescriptor> = {
  invalid_credentials: msg`That is wrong. Please check what you typed.`,
  verification_required: msg`Confirm your address first: open the link that we sent to you.`,
  account_disabled: msg`This account is disabled. Please ask the site's administration.`,
  link_expired: msg`This link was used, or its time is up. Ask for a new one.`,
  invalid_code: msg`This code is wrong, or was used already. Take the next one.`,
  flow_ended: msg`That took too long. Please sign in again.`,
  factor_required: msg`Your role needs a second step: add another before you remove this one.`,
  factor_limit: msg`You have as many second steps as are possible. Remove one first.`,
  second_factor_required: msg`Sign in with your second step first.`,
  reauthentication_required: msg`Please type your password again.`,
  link_required: msg`There is an account with this address. Sign in with your password, then link the other account in the settings.`,
  application_exists: msg`You have an open application with this licence.`,
  identity_refused: msg`The other site did not confirm who you are. Please try again.`,
  identity_taken: msg`This account is linked to another person here.`,
  identity_required: msg`This is your last way to sign in. Choose a password first.`,
  email_missing: msg`The other site did not tell your e-mail address. Allow it there, or sign in with a password.`,
  session_ended: msg`You were signed out. Please sign in again.`,
};

/** The problem of a refusal, told where it belongs. */
export function wrongOf(code: string | undefined, body?: Record<string, unknown>): Wrong {
  const errors = (body?.["errors"] ?? []) as { field: string; message: string }[];
  const fields: Record<string, MessageDescriptor> = {};
  for (const { field, message } of errors) {
    fields[field] =
      (field === "password" && PASSWORD_WRONG[message.split(":")[0] ?? ""]) ||
      (field === "email" ? msg`Write the whole address, like name@example.org.` : msg`Please check this.`);
  }
  if (errors.length > 0) return { fields };
  return { fields, whole: SAID[code ?? ""] ?? refusalText(code) };
}

/** Several forms stand on one page: each has ids of its own. */
const FormId = createContext("");

interface FormProps {
  wrong: Wrong | undefined;
  isBusy: boolean;
  submit: ReactNode;
  onSubmit: (values: Record<string, string>) => void;
  children: ReactNode;
}

/** A form that tells all that is wrong at its top, takes the focus there, and leads to the fields. */
export function Form({ wrong, isBusy, submit, onSubmit, children }: FormProps) {
  const { i18n } = useLingui();
  const id = useId();
  const form = useRef<HTMLFormElement>(null);
  const summary = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (wrong !== undefined) summary.current?.focus();
  }, [wrong]);
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (isBusy) return;
    const values: Record<string, string> = {};
    for (const [name, value] of new FormData(event.currentTarget)) values[name] = String(value);
    onSubmit(values);
  };
  return (
    <form className="stack" noValidate onSubmit={send} ref={form}>
      {wrong !== undefined && (
        <div className="notice bad" role="alert" tabIndex={-1} ref={summary}>
          <h2 className="problem">
            <Trans>There is a problem</Trans>
          </h2>
          {wrong.whole !== undefined && <p>{i18n._(wrong.whole)}</p>}
          {Object.entries(wrong.fields).map(([field, text]) => (
            <p key={field}>
              <a
                href={`#${id}-${field}`}
                onClick={(event) => {
                  event.preventDefault();
                  const found = form.current?.elements.namedItem(field);
                  if (found instanceof HTMLElement) found.focus();
                }}
              >
                {i18n._(text)}
              </a>
            </p>
          ))}
        </div>
      )}
      <FormId.Provider value={id}>{children}</FormId.Provider>
      <button className="button primary" type="submit" aria-disabled={isBusy}>
        {isBusy ? <Trans>One moment …</Trans> : submit}
      </button>
    </form>
  );
}

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  name: string;
  label: ReactNode;
  hint?: ReactNode;
  wrong?: Wrong | undefined;
}

export function Field({ name, label, hint, wrong, ...input }: FieldProps) {
  const { i18n } = useLingui();
  const id = `${useContext(FormId)}-${name}`;
  const text = wrong?.fields[name];
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {hint !== undefined && (
        <span className="quiet small" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      {text !== undefined && (
        <span className="wrong small" id={`${id}-wrong`}>
          {i18n._(text)}
        </span>
      )}
      <input
        className="input"
        id={id}
        name={name}
        aria-invalid={text !== undefined}
        aria-describedby={[hint && `${id}-hint`, text && `${id}-wrong`].filter(Boolean).join(" ") || undefined}
        {...input}
      />
    </div>
  );
}
