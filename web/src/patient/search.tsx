import { Trans, useLingui } from "@lingui/react/macro";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState, type ComponentType, type FormEvent } from "react";
import { enter } from "../i18n";
import { Icon } from "../ui/icons";
import type { BoxProps } from "./combo";

const route = getRouteApi("/");
/** Without an idle moment, the suggestions are loaded so long after the page. */
const LATE_MS = 2_000;

/** The search: a plain field at first, with suggestions as soon as their code is here. */
export function SearchForm() {
  const { t } = useLingui();
  const search = route.useSearch();
  const navigate = useNavigate();
  const [failed, setFailed] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const wanted = String(new FormData(event.currentTarget).get("q") ?? "").trim();
    const { near } = search;
    const kept = near === undefined ? {} : { near };
    void navigate({ to: "/", search: wanted === "" ? kept : { q: wanted, ...kept } });
  };
  const nearby = () => {
    setFailed(false);
    void import("./near")
      .then((it) => it.here())
      .then(
        (near) => navigate({ to: "/", search: (before) => ({ ...before, near }) }),
        () => setFailed(true),
      );
  };
  return (
    <form role="search" onSubmit={submit} key={search.q}>
      <label className="find-label" htmlFor="q">
        <Trans>Name, specialty, clinic or town</Trans>
      </label>
      <div className="find">
        <Icon name="search" />
        <Box text={search.q ?? ""} />
        <button className="near" type="button" onClick={nearby} aria-label={t`Near me`} title={t`Near me`}>
          <Icon name="near" />
        </button>
        <button className="button primary" type="submit">
          <Trans>Search</Trans>
        </button>
      </div>
      {failed && (
        <p className="small" role="status">
          <Trans>Your place could not be found. Type a town instead.</Trans>
        </p>
      )}
    </form>
  );
}

type Given = Pick<BoxProps, "text" | "focus">;

/** The field; what was typed, the focus and the caret stay when the suggestions take it over. */
function Box({ text }: { text: string }) {
  const field = useRef<HTMLInputElement>(null);
  const [loaded, setLoaded] = useState<{ Combo: ComponentType<BoxProps>; given: Given }>();
  const load = useRef(async () => {
    // Without a line the plain field stays: it searches as well.
    const loading = Promise.all([import("./combo"), enter("later")]);
    const [module] = await loading.catch(() => []);
    if (module === undefined) return;
    const take = () => {
      const old = field.current;
      if (old === null) return;
      const focus: Given["focus"] =
        document.activeElement === old ? [old.selectionStart ?? 0, old.selectionEnd ?? 0] : undefined;
      setLoaded({ Combo: module.Combo, given: { text: old.value, focus } });
    };
    // A word that is being composed would be lost with its field.
    if (field.current?.dataset["composing"] === "yes") {
      field.current.addEventListener("compositionend", take, { once: true });
    } else take();
  });
  useEffect(() => {
    if (!("requestIdleCallback" in window)) {
      const timer = setTimeout(() => void load.current(), LATE_MS);
      return () => clearTimeout(timer);
    }
    const asked = requestIdleCallback(() => void load.current(), { timeout: LATE_MS });
    return () => cancelIdleCallback(asked);
  }, []);
  if (loaded !== undefined) return <loaded.Combo {...loaded.given} />;
  return (
    <input
      id="q"
      name="q"
      type="search"
      defaultValue={text}
      autoComplete="off"
      ref={field}
      onFocus={() => void load.current()}
      onCompositionStart={(event) => (event.currentTarget.dataset["composing"] = "yes")}
      onCompositionEnd={(event) => (event.currentTarget.dataset["composing"] = "no")}
    />
  );
}
