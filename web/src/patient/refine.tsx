import "./refine.css";
import { plural } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, type ReactNode } from "react";
import type { ProviderList } from "../app/api";
import { useFollow } from "../app/shell";
import type { Wanted } from "./home";
import { patiently } from "../app/patiently";

const AskSpecialty = lazy(patiently(async () => ({ default: (await import("../waiting/ask")).AskSpecialty })));

type Facet = keyof NonNullable<ProviderList["facets"]>;

interface Props {
  wanted: Wanted;
  found: ProviderList | undefined;
}

/** What narrows a search, in which order it is shown, and what it was taken for. */
export function Refine({ wanted, found }: Props) {
  const { t, i18n } = useLingui();
  const navigate = useNavigate();
  const change = (part: Wanted) => {
    const kept = Object.entries({ ...wanted, ...part }).filter(([, value]) => value);
    void navigate({ to: "/", search: Object.fromEntries(kept), replace: true, resetScroll: false });
  };
  const languages = new Intl.DisplayNames([i18n.locale], { type: "language", fallback: "code" });
  const values = (facet: Facet, chosen: string | undefined) => {
    const known = found?.facets?.[facet] ?? [];
    const lacks = chosen !== undefined && !known.some((one) => one.value === chosen);
    return lacks ? [{ value: chosen, count: 0 }, ...known] : known;
  };
  const only = (word: string, facet: Facet, label: ReactNode) => {
    const words = new Set((wanted.only ?? "").split(" ").filter(Boolean));
    const isChosen = words.has(word);
    if (!isChosen && values(facet, undefined).length === 0) return null;
    const turn = () => {
      if (isChosen) words.delete(word);
      else words.add(word);
      change({ only: [...words].join(" ") });
    };
    return (
      <label>
        <input type="checkbox" checked={isChosen} onChange={turn} /> {label}
      </label>
    );
  };
  const choice = (name: "specialty" | "language" | "insurance", all: string, say = (value: string) => value) => {
    const options = values(name, wanted[name]);
    if (options.length < 2 && wanted[name] === undefined) return null;
    return (
      <select
        className="input"
        aria-label={all}
        value={wanted[name] ?? ""}
        onChange={(event) => change({ [name]: event.target.value })}
      >
        <option value="">{all}</option>
        {options.map(({ value, count }) => (
          <option key={value} value={value}>
            {count === 0 ? say(value) : `${say(value)} (${count.toLocaleString(i18n.locale)})`}
          </option>
        ))}
      </select>
    );
  };
  const total = found?.total;
  // As the calendars name it, which is what is waited for.
  const specialty = wanted.specialty && found?.items[0]?.specialty;
  return (
    <div className="refine" role="group" aria-label={t`Narrow the search`}>
      <div className="refine-line">
        <select
          className="input"
          aria-label={t`Order`}
          value={wanted.sort ?? "soonest"}
          onChange={(event) => change({ sort: event.target.value === "soonest" ? undefined : event.target.value })}
        >
          <option value="soonest">{t`Soonest first`}</option>
          {wanted.near !== undefined && <option value="distance">{t`Nearest first`}</option>}
          <option value="match">{t`Best match`}</option>
          <option value="rating">{t`Best rated`}</option>
          <option value="name">{t`By name`}</option>
        </select>
        {choice("specialty", t`All specialties`)}
        {choice("insurance", t`All insurances`)}
        {choice("language", t`All languages`, (value) => languages.of(value) ?? value)}
        {only("remote", "telehealth", <Trans>By video or telephone</Trans>)}
        {only("new", "accepts_new", <Trans>Takes new patients</Trans>)}
        {typeof total === "number" && total > 0 && (
          <span className="quiet small" role="status">
            {t`${plural(total, { one: "# doctor", other: "# doctors" })}`}
          </span>
        )}
      </div>
      <SearchedFor wanted={wanted} />
      <Understood wanted={wanted} found={found} />
      {specialty && (
        <Suspense fallback={<p className="ask-line" />}>
          <AskSpecialty specialty={specialty} />
        </Suspense>
      )}
    </div>
  );
}

function SearchedFor({ wanted }: Pick<Props, "wanted">) {
  const follow = useFollow();
  return (
    <p className="row small">
      {[wanted.q, wanted.specialty].filter(Boolean).map((one) => (
        <span key={one} className="chip plain">
          <bdi>{one}</bdi>
        </span>
      ))}
      {wanted.near !== undefined && (
        <span className="chip plain">
          <Trans>Near me</Trans>
        </span>
      )}
      <a href="/" onClick={follow}>
        <Trans>Show all</Trans>
      </a>
    </p>
  );
}

/** What the server says of the search as a whole. */
function Understood({ wanted, found }: Props) {
  const follow = useFollow();
  const meant = found?.did_you_mean;
  const wider = found?.wider_km;
  return (
    <>
      {meant && (
        <p className="small">
          {found.total === 0 ? <Trans>Did you mean</Trans> : <Trans>Shown are results for</Trans>}{" "}
          <a href={`/?${new URLSearchParams({ ...known(wanted), q: meant })}`} onClick={follow}>
            <bdi>{meant}</bdi>
          </a>
        </p>
      )}
      {wider && (
        <p>
          <a href={`/?${new URLSearchParams({ ...known(wanted), within: `${wider}km` })}`} onClick={follow}>
            <Trans>Search within {wider} km</Trans>
          </a>
        </p>
      )}
      {found?.live === false && (
        <p className="small quiet" role="status">
          <Trans>Some times could not be confirmed just now. A dashed card may have changed.</Trans>
        </p>
      )}
    </>
  );
}

function known(wanted: Wanted): Record<string, string> {
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value)) as Record<string, string>;
}
