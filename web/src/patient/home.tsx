import "./home.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, type ComponentType } from "react";
import { answered, api } from "../app/api";
import type { paths } from "../api/rest";
import { useContextOfSession } from "../app/shell";
import { useSite } from "../app/site";
import { enter } from "../i18n";
import { Icon } from "../ui/icons";
import { Result, ResultRoom } from "./result";
import { SearchForm } from "./search";

/** A part whose code and sentences the first paint does not need; its room is in the page from the start. */
function later<P>(load: () => Promise<ComponentType<P>>) {
  return lazy(async () => ({ default: (await Promise.all([load(), enter("later"), enter("about")]))[0] }));
}
const Board = later(async () => (await import("./board")).Board);
const Refine = later(async () => (await import("./refine")).Refine);
const Following = later(async () => (await import("./following")).Following);
const DemoPeople = later(async () => (await import("./demo")).DemoPeople);
const Symptoms = later(async () => (await import("./symptoms")).Symptoms);

const route = getRouteApi("/");
const PAGE = 12;
/** What a search is made of, as the address has it. */
export const WANTED = ["q", "specialty", "near", "within", "sort", "insurance", "language", "only"] as const;
export type Wanted = Partial<Record<(typeof WANTED)[number], string | undefined>>;
type Query = NonNullable<paths["/v1/providers"]["get"]["parameters"]["query"]>;

/** A page of the list of providers; main.tsx asks for the first before React is there. */
export function providersQuery(wanted: Wanted, cursor?: string) {
  const { q: query, specialty, near, within, sort, insurance, language, only } = wanted;
  const has = (word: string) => only?.includes(word) || undefined;
  const asked = {
    sort: (sort as Query["sort"]) ?? "soonest",
    limit: PAGE,
    query,
    specialty,
    near,
    within_km: near && Number.parseInt(within ?? "200"),
    insurance,
    language,
    telehealth: has("remote"),
    accepts_new: has("new"),
    cursor,
  };
  return queryOptions({
    queryKey: ["providers", asked],
    // The client leaves out what is undefined.
    queryFn: async () => answered(await api.GET("/v1/providers", { params: { query: asked as Query } })),
  });
}

/** First page and results are one: search at once, soonest first, everything live. */
export function Home() {
  const { t } = useLingui();
  const wanted: Wanted = route.useSearch();
  const isSearch = Object.keys(wanted).length > 0;
  const found = useQuery(providersQuery(wanted));
  const { data } = found;
  const items = data?.items ?? [];
  const specialties = [...new Set(items.map((one) => one.specialty))].slice(0, 5);
  return (
    <div className="home">
      <section className={isSearch ? "hero compact" : "hero"}>
        <div className="pitch">
          {isSearch ? (
            <h1 className="second">
              <Trans>Find a time</Trans>
            </h1>
          ) : (
            <>
              <h1>
                <Trans>See a doctor sooner.</Trans>
              </h1>
              <p className="lead">
                <Trans>
                  Every free time of every clinic, changing before your eyes. What you see is free
                  this second, and one tap keeps it for you.
                </Trans>
              </p>
            </>
          )}
          <SearchForm />
          <Suspense fallback={<><div className="tags" /><div className="tags" /></>}>
            <Symptoms names={isSearch ? undefined : specialties} />
          </Suspense>
        </div>
        {!isSearch && (
          <Suspense fallback={<div className="board card" aria-hidden="true" />}>
            <Board items={items} />
          </Suspense>
        )}
      </section>
      {!isSearch && <DemoRoom />}
      <section className="found" aria-labelledby="found">
        <h2 id="found">{isSearch ? <Trans>Results</Trans> : <Trans>Free soonest</Trans>}</h2>
        {isSearch && (
          <Suspense fallback={<div className="refine" />}>
            <Refine wanted={wanted} found={data} />
          </Suspense>
        )}
        {found.isError && (
          <p className="notice bad" role="alert">
            <Trans>The list could not be loaded. Please try again.</Trans>{" "}
            <button className="button small" type="button" onClick={() => void found.refetch()}>
              <Trans>Try again</Trans>
            </button>
          </p>
        )}
        {found.isSuccess && items.length === 0 && (
          <p className="card empty" role="status">
            <Icon name="search" size={32} />
            <Trans>Nothing found. Try fewer or other words.</Trans>
          </p>
        )}
        <ul className="results" aria-label={t`Results`} aria-busy={found.isPending}>
          {found.isPending && Array.from({ length: 6 }, (_, index) => <ResultRoom key={index} />)}
          {items.map((item) => (
            <Result key={item.provider_id} item={item} />
          ))}
          {data && (
            <Suspense>
              <Following key={JSON.stringify(wanted)} wanted={wanted} found={data} />
            </Suspense>
          )}
        </ul>
      </section>
    </div>
  );
}

function DemoRoom() {
  const site = useSite();
  const context = useContextOfSession();
  // Its room is kept until it is known whether this is a demo, so that nothing jumps.
  if (site?.demo === false || context !== undefined) return null;
  const room = <div className="demo demo-room" aria-hidden="true" />;
  return site === undefined ? (
    room
  ) : (
    <Suspense fallback={room}>
      <DemoPeople />
    </Suspense>
  );
}

/** Where a role begins. */
export function homeOf(context: { role: string; subject: string }): string {
  switch (context.role) {
    case "doctor":
      return `/desk/day/${context.subject}`;
    case "clinic_admin":
    case "staff":
      return "/clinic";
    case "admin":
      return "/ops/health";
    case "auditor":
      return "/ops/audit";
    default:
      return "/me/visits";
  }
}
