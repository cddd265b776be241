import "./clinic.css";
import { Trans, useLingui } from "@lingui/react/macro";
import type { MessageDescriptor } from "@lingui/core";
import { useBlocker } from "@tanstack/react-router";
import { createContext, useContext, useEffect, useId, useRef, useState, type FormEvent, type InputHTMLAttributes, type ReactNode } from "react";
import { Dialog } from "../ui/dialog";

/** What is wrong with a form: by field, and as a whole. */
export interface Wrong {
  fields: Record<string, MessageDescriptor>;
  whole?: MessageDescriptor | undefined;
}

/** What others saved in a field that was typed in here too. */
export interface Theirs {
  text: string;
  take: () => void;
}

interface Around {
  id: string;
  wrong: Record<string, MessageDescriptor>;
  theirs: Record<string, Theirs>;
}
const Form = createContext<Around>({ id: "", wrong: {}, theirs: {} });

interface Props {
  wrong: Wrong | undefined;
  theirs?: Record<string, Theirs>;
  /** Whether another edit was saved while this one was typed. */
  isBehind: boolean;
  isChanged: boolean;
  isBusy: boolean;
  isSaved: boolean;
  onSave: () => void;
  onDiscard: () => void;
  children: ReactNode;
}

/**
 * A form of staff: all that is wrong at its top, with the way to each field; what was typed stays
 * through refusals and others' edits, and is not left without a question.
 */
export function EditForm(props: Props) {
  const { wrong, theirs = {}, isBehind, isChanged, isBusy, isSaved, onSave, onDiscard, children } = props;
  const { i18n } = useLingui();
  const id = useId();
  const top = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (wrong !== undefined || isBehind) top.current?.focus();
  }, [wrong, isBehind]);
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (!isBusy && isChanged) onSave();
  };
  const clashes = Object.keys(theirs).length;
  return (
    <form className="stack edit" noValidate onSubmit={send}>
      <Guard isChanged={isChanged} />
      {(wrong !== undefined || isBehind) && (
        <div className={wrong === undefined ? "notice" : "notice bad"} role="alert" tabIndex={-1} ref={top}>
          {wrong === undefined ? (
            <>
              <strong>
                <Trans>Another person saved a change meanwhile</Trans>
              </strong>
              <p>
                {clashes === 0 ? (
                  <Trans>What you typed is still here, on top of it. Look through it, then save.</Trans>
                ) : (
                  <Trans>What you typed is still here. At the marked fields you see what was saved: keep yours or take theirs, then save.</Trans>
                )}
              </p>
            </>
          ) : (
            <>
              <strong>
                <Trans>This is not saved yet. What you typed is still here.</Trans>
              </strong>
              {wrong.whole !== undefined && <p>{i18n._(wrong.whole)}</p>}
              {Object.entries(wrong.fields).map(([field, text]) => (
                <p key={field}>
                  <a
                    href={`#${id}-${field}`}
                    onClick={(event) => {
                      event.preventDefault();
                      document.getElementById(`${id}-${field}`)?.focus();
                    }}
                  >
                    {i18n._(text)}
                  </a>
                </p>
              ))}
            </>
          )}
        </div>
      )}
      <Form.Provider value={{ id, wrong: wrong?.fields ?? {}, theirs }}>{children}</Form.Provider>
      <div className="savebar">
        <p role="status" className="quiet small">
          {isChanged ? (
            <Trans>There are changes that are not saved.</Trans>
          ) : isSaved ? (
            <Trans>Saved. Patients find it at once.</Trans>
          ) : (
            <Trans>Nothing is changed.</Trans>
          )}
        </p>
        <div className="row">
          {isChanged && (
            <button className="button" type="button" onClick={onDiscard}>
              <Trans>Discard</Trans>
            </button>
          )}
          <button className="button primary" type="submit" aria-disabled={isBusy || !isChanged}>
            {isBusy ? <Trans>One moment …</Trans> : <Trans>Save</Trans>}
          </button>
        </div>
      </div>
    </form>
  );
}

/** Asks before a page with unsaved changes is left; the browser asks before it is closed. */
function Guard({ isChanged }: { isChanged: boolean }) {
  const { t } = useLingui();
  const leaving = useBlocker({
    shouldBlockFn: ({ current, next }) =>
      isChanged && (current.pathname !== next.pathname || JSON.stringify(current.search) !== JSON.stringify(next.search)),
    enableBeforeUnload: () => isChanged,
    withResolver: true,
  });
  if (leaving.status !== "blocked") return null;
  return (
    <Dialog title={t`Leave without saving?`} onClose={leaving.reset}>
      <p>
        <Trans>What you changed on this page is not saved yet. It is lost if you leave.</Trans>
      </p>
      <div className="row">
        <button className="button primary" type="button" onClick={leaving.reset}>
          <Trans>Stay here</Trans>
        </button>
        <button className="button danger" type="button" onClick={leaving.proceed}>
          <Trans>Leave without saving</Trans>
        </button>
      </div>
    </Dialog>
  );
}

/** A label, its hint, what is wrong, and what others saved; the input is made from its ids. */
export function Field(props: {
  name: string;
  label: ReactNode;
  hint?: ReactNode;
  isWide?: boolean;
  children: (input: { id: string; "aria-invalid": boolean; "aria-describedby": string | undefined }) => ReactNode;
}) {
  const { name, label, hint, isWide, children } = props;
  const { i18n } = useLingui();
  const around = useContext(Form);
  const id = `${around.id}-${name}`;
  const wrong = around.wrong[name];
  const theirs = around.theirs[name];
  const about = [hint !== undefined && `${id}-hint`, wrong && `${id}-wrong`, theirs && `${id}-theirs`].filter(Boolean);
  return (
    <div className={isWide === true ? "field wide" : "field"}>
      <label htmlFor={id}>{label}</label>
      {hint !== undefined && (
        <span className="quiet small" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      {wrong !== undefined && (
        <span className="wrong small" id={`${id}-wrong`}>
          {i18n._(wrong)}
        </span>
      )}
      {children({ id, "aria-invalid": wrong !== undefined, "aria-describedby": about.join(" ") || undefined })}
      <Meanwhile name={name} />
    </div>
  );
}

/** What others saved in a field that was typed in here too. */
export function Meanwhile({ name }: { name: string }) {
  const around = useContext(Form);
  const theirs = around.theirs[name];
  if (theirs === undefined) return null;
  return (
    <span className="theirs small" id={`${around.id}-${name}-theirs`}>
      <span>
        <Trans>
          Saved meanwhile: <bdi>{theirs.text || "–"}</bdi>
        </Trans>
      </span>
      <button className="button small" type="button" onClick={theirs.take}>
        <Trans>Take this</Trans>
      </button>
    </span>
  );
}

interface TextProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "onChange" | "value"> {
  name: string;
  label: ReactNode;
  hint?: ReactNode;
  isWide?: boolean;
  value: string;
  onChange: (value: string) => void;
}

export function TextField({ name, label, hint, isWide, value, onChange, ...input }: TextProps) {
  return (
    <Field name={name} label={label} hint={hint} isWide={isWide ?? false}>
      {(field) => <input className="input" dir="auto" {...input} {...field} value={value} onChange={(event) => onChange(event.target.value)} />}
    </Field>
  );
}

interface AreaProps {
  name: string;
  label: ReactNode;
  hint?: ReactNode;
  value: string;
  max: number;
  rows?: number;
  onChange: (value: string) => void;
}

/** Several lines. Beyond the limit nothing is cut off: the counter says so. */
export function AreaField({ name, label, hint, value, max, rows = 4, onChange }: AreaProps) {
  return (
    <Field name={name} label={label} hint={hint} isWide>
      {(field) => (
        <>
          <textarea className="input" dir="auto" {...field} rows={rows} value={value} onChange={(event) => onChange(event.target.value)} />
          {value.length > max * 0.8 && (
            <span className={value.length > max ? "wrong small" : "quiet small"} role="status">
              <Trans>
                {value.length} of {max} characters
              </Trans>
            </span>
          )}
        </>
      )}
    </Field>
  );
}

interface TagsProps {
  name: string;
  label: ReactNode;
  hint?: ReactNode;
  value: readonly string[];
  max: number;
  onChange: (value: string[]) => void;
  /** What a value is called; itself by default. */
  say?: (value: string) => string;
  /** Values that are offered while typing: value and name. */
  offered?: readonly (readonly [string, string])[];
  /** What may be added; other texts stay in the box. */
  accepts?: (value: string) => boolean;
  /** Characters of one. */
  length?: number;
}

/** A list of short texts: Enter or a comma adds one, each has a button that removes it. */
export function TagsField({ name, label, hint, value, max, onChange, say = (one) => one, offered, accepts = () => true, length = 80 }: TagsProps) {
  const { t } = useLingui();
  const [typed, setTyped] = useState("");
  const [isLeft, setLeft] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const add = (text: string) => {
    const wanted = text
      .split(/[,،;\n]/)
      .map((one) => one.trim())
      .filter(Boolean)
      .map((one) => offered?.find(([, title]) => title.toLocaleLowerCase() === one.toLocaleLowerCase())?.[0] ?? one);
    const known = new Set(value.map((one) => one.toLocaleLowerCase()));
    const isFit = (one: string) => one.length <= length && accepts(one);
    const fresh = wanted.filter(
      (one) => isFit(one) && !known.has(one.toLocaleLowerCase()) && known.add(one.toLocaleLowerCase()),
    );
    const room = Math.max(0, max - value.length);
    if (fresh.length > 0) onChange([...value, ...fresh.slice(0, room)]);
    // What could not be added is not thrown away.
    const left = [...wanted.filter((one) => !isFit(one)), ...fresh.slice(room)];
    setTyped(left.join(" "));
    setLeft(left.length > 0);
  };
  const remove = (one: string) => {
    onChange(value.filter((other) => other !== one));
    input.current?.focus();
  };
  return (
    <Field name={name} label={label} hint={hint} isWide>
      {(field) => (
        <div className="tags">
          {value.length > 0 && (
            <ul className="plain-list row">
              {value.map((one) => (
                <li key={one} className="chip tag">
                  <bdi>{say(one)}</bdi>
                  <button type="button" aria-label={t`Remove ${say(one)}`} onClick={() => remove(one)}>
                    ×
                  </button>
                </li>
              ))}
            </ul>
          )}
          <div className="row nowrap">
            <input
              className="input"
              {...field}
              ref={input}
              value={typed}
              list={offered === undefined ? undefined : `${field.id}-list`}
              onChange={(event) => {
                setLeft(false);
                if (/[,،;]/.test(event.target.value)) add(event.target.value);
                else setTyped(event.target.value);
              }}
              onKeyDown={(event) => {
                // Enter adds what is typed, and sends the form only when nothing is.
                if (event.key !== "Enter" || typed.trim() === "") return;
                event.preventDefault();
                add(typed);
              }}
              onBlur={() => typed.trim() !== "" && add(typed)}
            />
            {offered !== undefined && (
              <datalist id={`${field.id}-list`}>
                {offered.map(([key, title]) => (
                  <option key={key} value={title} />
                ))}
              </datalist>
            )}
            <button className="button" type="button" onClick={() => add(typed)}>
              <Trans>Add</Trans>
            </button>
          </div>
          {isLeft && (
            <span role="alert" className="wrong small">
              {value.length >= max ? (
                <Trans>There is no room for more.</Trans>
              ) : typed.length > length ? (
                <Trans>This is too long. Shorten it.</Trans>
              ) : (
                <Trans>This is not in the list. Choose one that is.</Trans>
              )}
            </span>
          )}
        </div>
      )}
    </Field>
  );
}
