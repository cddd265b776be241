import { useState } from "react";

/** What is kept of a thing that is edited, and the tag that a change of it names. */
export interface Kept<T> {
  values: T;
  tag: string;
}

export interface Editing<T> {
  /** As typed. */
  values: T;
  tag: string;
  isChanged: boolean;
  /** Fields that were typed here and meanwhile saved otherwise: what was saved. */
  theirs: Partial<T>;
  set: <K extends keyof T>(name: K, value: T[K]) => void;
  /** Another edit was saved meanwhile: what was typed here stays, everything else is as it was saved. */
  rebase: (latest: Kept<T>) => void;
  /** What was sent is kept now; what was typed since then is not yet. */
  saved: (latest: Kept<T>, sent: T) => void;
  /** Back to what is kept. */
  discard: () => void;
}

interface State<T> {
  base: T;
  tag: string;
  values: T;
  theirs: Partial<T>;
}

const isSame = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

/** The typed values on what others saved: typed fields win, and tell what they would replace. */
export function merged<T extends object>(base: T, typed: T, latest: T): { values: T; theirs: Partial<T> } {
  const values = { ...latest };
  const theirs: Partial<T> = {};
  for (const name of Object.keys(typed) as (keyof T)[]) {
    if (isSame(typed[name], base[name])) continue;
    values[name] = typed[name];
    if (!isSame(latest[name], base[name]) && !isSame(latest[name], typed[name])) theirs[name] = latest[name];
  }
  return { values, theirs };
}

/** The state of a form over something that others may change at the same time. */
export function useEditing<T extends object>(kept: Kept<T>): Editing<T> {
  const begin = ({ values, tag }: Kept<T>): State<T> => ({ base: values, tag, values, theirs: {} });
  const [state, setState] = useState(() => begin(kept));
  return {
    values: state.values,
    tag: state.tag,
    theirs: state.theirs,
    isChanged: !isSame(state.values, state.base),
    set: (name, value) =>
      setState((now) => {
        const theirs = Object.entries(now.theirs).filter(([key, saved]) => key !== name || !isSame(saved, value));
        return { ...now, values: { ...now.values, [name]: value }, theirs: Object.fromEntries(theirs) as Partial<T> };
      }),
    rebase: (latest) =>
      setState((now) => ({ base: latest.values, tag: latest.tag, ...merged(now.base, now.values, latest.values) })),
    saved: (latest, sent) =>
      setState((now) => ({ ...begin(latest), values: merged(sent, now.values, latest.values).values })),
    discard: () => setState((now) => ({ ...now, values: now.base, theirs: {} })),
  };
}
