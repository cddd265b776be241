import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { useState } from "react";
import type { Problem } from "../app/api";
import { staffRefusal } from "./refusals";
import type { Editing, Kept } from "./editing";
import type { Theirs, Wrong } from "./form";

/** One thing that a form writes. */
export interface Part {
  isChanged: boolean;
  discard: () => void;
  /** Undefined if it is kept now, "behind" if another edit came first, else the refusal. */
  save: () => Promise<"behind" | Partial<Problem> | undefined>;
}

/** A part over what is edited: how it is put, and how it is read again after another edit. */
export function partOf<T extends object>(
  editing: Editing<T>,
  put: (values: T, tag: string) => Promise<{ kept?: Kept<T>; error?: Partial<Problem> | undefined }>,
  read: () => Promise<Kept<T> | undefined>,
): Part {
  return {
    isChanged: editing.isChanged,
    discard: editing.discard,
    save: async () => {
      const { kept, error } = await put(editing.values, editing.tag);
      if (kept !== undefined) {
        editing.saved(kept, editing.values);
        return undefined;
      }
      const latest = error?.code === "version_behind" ? await read() : undefined;
      if (latest === undefined) return error ?? {};
      editing.rebase(latest);
      return "behind";
    },
  };
}

/** What a PUT of a part was answered: what is kept now, with its tag, or the refusal. */
export function keptOf<D, T>(
  answer: { data?: D; error?: Partial<Problem> | undefined; response: Response },
  read: (data: D) => T,
  noTag: string,
): { kept?: Kept<T>; error?: Partial<Problem> | undefined } {
  if (answer.data === undefined) return { error: answer.error };
  return { kept: { values: read(answer.data), tag: answer.response.headers.get("etag") ?? noTag } };
}

/** What is wrong, by the server's word: its fields have names of their own here. */
function wrongOf(error: Partial<Problem>, words: (field: string) => MessageDescriptor | undefined): Wrong {
  const fields: Record<string, MessageDescriptor> = {};
  for (const { field } of error.errors ?? []) {
    // "insurances.3" is one of the field "insurances".
    const name = field.split(/[.[]/)[0] ?? field;
    fields[name] = words(name) ?? msg`Please check this.`;
  }
  return Object.keys(fields).length > 0 ? { fields } : { fields, whole: staffRefusal(error.code) };
}

/** Saves the parts of a form one after the other; only those that were changed. */
export function useSaving(parts: readonly Part[], words: (field: string) => MessageDescriptor | undefined) {
  const [wrong, setWrong] = useState<Wrong>();
  const [isBehind, setBehind] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [isSaved, setSaved] = useState(false);
  const save = async (checked: Wrong["fields"] = {}): Promise<boolean> => {
    setSaved(false);
    setBehind(false);
    if (Object.keys(checked).length > 0) {
      setWrong({ fields: checked });
      return false;
    }
    setWrong(undefined);
    setBusy(true);
    const done = await putAll();
    setBusy(false);
    setSaved(done);
    return done;
  };
  const putAll = async () => {
    for (const part of parts) {
      const found = part.isChanged ? await part.save() : undefined;
      if (found === undefined) continue;
      if (found === "behind") setBehind(true);
      else setWrong(wrongOf(found, words));
      return false;
    }
    return true;
  };
  const discard = () => {
    for (const part of parts) part.discard();
    setWrong(undefined);
    setBehind(false);
  };
  const isChanged = parts.some((part) => part.isChanged);
  return { wrong, isBehind, isBusy, isChanged, isSaved, save, discard };
}

/** The fields of a part that others saved meanwhile, with a way to take what they saved. */
export function theirsOf<T extends object>(editing: Editing<T>, say: (name: keyof T, value: unknown) => string): Record<string, Theirs> {
  const found: Record<string, Theirs> = {};
  for (const name of Object.keys(editing.theirs) as (keyof T)[]) {
    const value = editing.theirs[name] as T[keyof T];
    found[String(name)] = { text: say(name, value), take: () => editing.set(name, value) };
  }
  return found;
}
