import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useRef, useState } from "react";
import { refusalText } from "../app/refusals";
import { session } from "../app/session";
import { Face } from "../patient/result";
import { speakOut } from "../ui/spoken";

/** What the server takes; a phone that keeps another kind then sends one of these. */
const KINDS = "image/jpeg,image/png,image/webp";
const BYTES_MAX = 12 * 1024 * 1024;

const SAID: Record<string, MessageDescriptor> = {
  photo_not_supported: msg`This is no picture that can be used. Choose a JPEG, PNG or WebP file.`,
  photo_too_large: msg`This picture is too large. Choose one of at most 12 MB and 50 million pixels.`,
  photo_damaged: msg`This picture is damaged. Save it again, or choose another one.`,
  request_timeout: msg`The picture took too long to arrive. Choose a smaller one, or try again on a faster line.`,
};

type Answer = { photo?: string | null; code?: string };

/** A request whose body is a file: those of api.ts are JSON. */
async function send(method: string, path: string, file?: File): Promise<Answer> {
  const ask = async () => {
    const headers = new Headers(file === undefined ? {} : { "Content-Type": file.type || "application/octet-stream" });
    const token = session.token();
    if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
    return fetch(path, { method, headers, body: file ?? null }).catch(() => Response.error());
  };
  let answer = await ask();
  if (answer.status === 403) {
    const { isProved } = await import("../app/proving");
    if (await isProved(answer, method)) answer = await ask();
  }
  const isJson = answer.headers.get("content-type")?.includes("json") === true;
  const found = isJson ? ((await answer.json().catch(() => ({}))) as Answer) : {};
  return answer.ok ? { photo: found.photo ?? null } : { code: found.code ?? "unreachable" };
}

/**
 * The public photo of a doctor or a clinic: shown, replaced, taken away. `of` is the address of
 * either in the API, as /v1/providers/prv_1.
 */
export function Photo({ of, name }: { of: string; name: string }) {
  const { t, i18n } = useLingui();
  const id = useId();
  const queries = useQueryClient();
  const input = useRef<HTMLInputElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const key = ["photo", of];
  const found = useQuery({
    queryKey: key,
    queryFn: async () => {
      const { photo, code } = await send("GET", `${of}/directory-entry`);
      if (code !== undefined) throw new Error(code);
      return photo ?? null;
    },
  });
  const change = async (method: string, file?: File) => {
    if (isBusy) return;
    setWrong(undefined);
    if (file !== undefined && file.size > BYTES_MAX) return setWrong("photo_too_large");
    setBusy(true);
    const { photo, code } = await send(method, `${of}/photo`, file);
    setBusy(false);
    if (code !== undefined) return setWrong(code);
    queries.setQueryData(key, photo ?? null);
    // Pages that show it read it again.
    for (const shows of ["provider", "providers", "about"]) void queries.invalidateQueries({ queryKey: [shows] });
    speakOut(photo === null ? t`The photo is taken away.` : t`The new photo is shown.`);
    input.current?.focus();
  };
  return (
    <div className="row photo" role="group" aria-label={t`Photo of ${name}`}>
      <Face name={name} photo={found.data} />
      <div className="field">
        <label htmlFor={id}>
          {found.data ? <Trans>Replace the photo</Trans> : <Trans>Add a photo</Trans>}
        </label>
        <input
          id={id}
          ref={input}
          className="input"
          type="file"
          accept={KINDS}
          aria-describedby={`${id}-hint`}
          onChange={(event) => {
            const file = event.target.files?.[0];
            event.target.value = ""; // the same file may be chosen again
            if (file !== undefined) void change("PUT", file);
          }}
        />
        <span className="quiet small" id={`${id}-hint`}>
          <Trans>JPEG, PNG or WebP, at most 12 MB. All people see it; where it was taken is removed.</Trans>
        </span>
        {isBusy && (
          <span role="status">
            <Trans>The photo is being prepared …</Trans>
          </span>
        )}
        {wrong !== undefined && (
          <p className="notice bad" role="alert">
            {i18n._(SAID[wrong] ?? refusalText(wrong))}
          </p>
        )}
      </div>
      {found.data && (
        <button className="button small" type="button" disabled={isBusy} onClick={() => void change("DELETE")}>
          <Trans>Take the photo away</Trans>
        </button>
      )}
    </div>
  );
}
