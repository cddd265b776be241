import "./home.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { answered, api } from "../app/api";
import { useContextOfSession, useFollow } from "../app/shell";
import { useSite } from "../app/site";
import { enter } from "../i18n";
import { Icon } from "../ui/icons";
import { Result, ResultRoom } from "./result";
import { SearchForm } from "./search";

// Its room is in the page from the start; its code is not needed for the first paint.
const Board = lazy(async () => {
  const [module] = await Promise.all([import("./board"), enter("later")]);
  return { default: module.Board };
});
const DemoPeople = lazy(async () => {
  const [module] = await Promise.all([import("./demo"), enter("later")]);
  return { default: module.DemoPeople };
});

const route = getRouteApi("/");
const PAGE = 12;
const NEAR_KM = 200;

interface Wanted {
  q?: string | undefined;
  specialty?: string | undefined;
  near?: string | undefined;
}

/** A page of the list of providers; main.tsx asks for the first before React is there. */
export function providersQuery({ q, specialty, near }: Wanted, cursor?: string) {
  return queryOptions({
    queryKey: ["providers", q, specialty, near, cursor],
    queryFn: async () =>
      answered(
        await api.GET("/v1/providers", {
          params: {
            query: {
              sort: "soonest",
              limit: PAGE,
              ...(q === undefined ? {} : { query: q }),
              ...(specialty === undefined ? {} : { specialty }),
              ...(near === undefined ? {} : { near, within_km: NEAR_KM }),
              ...(cursor === undefined ? {} : { cursor }),
            },
          },
        }),
      ),
  });
}

/** First page and results are one: search at once, soonest first, everything live. */
export function Home() {
  const { t } = useLingui();
  const { q, specialty, near } = route.useSearch();
  const isSearch = q !== undefined || specialty !== undefined || near !== undefined;
  const wanted = { q, specialty, near };
  const found = useQuery(providersQuery(wanted));
  const items = found.data?.items ?? [];
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
          {!isSearch && <Specialties names={specialties} />}
        </div>
        {!isSearch && (
          <Suspense fallback={<div className="board card" aria-hidden="true" />}>
            <Board items={items} />
          </Suspense>
        )}
      </section>
      {!isSearch && <DemoRoom />}
      <section className="found" aria-labelledby="found">
        <div className="row between">
          <h2 id="found">{isSearch ? <Trans>Soonest first</Trans> : <Trans>Free soonest</Trans>}</h2>
          {isSearch && <SearchedFor />}
        </div>
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
          {found.data?.next_cursor != null && (
            <More key={found.data.next_cursor} wanted={wanted} cursor={found.data.next_cursor} />
          )}
        </ul>
      </section>
    </div>
  );
}

/** The next page of the list, when a person asks for it, and so on. */
function More({ wanted, cursor }: { wanted: Wanted; cursor: string }) {
  const [isAsked, setAsked] = useState(false);
  const { data, isError, refetch } = useQuery({ ...providersQuery(wanted, cursor), enabled: isAsked });
  if (data === undefined) {
    const ask = () => (isError ? void refetch() : setAsked(true));
    return (
      <>
        {isAsked && !isError && Array.from({ length: 2 }, (_, index) => <ResultRoom key={index} />)}
        <li className="more">
          <button className="button" type="button" disabled={isAsked && !isError} onClick={ask}>
            {isError ? <Trans>Try again</Trans> : <Trans>Show more</Trans>}
          </button>
        </li>
      </>
    );
  }
  return (
    <>
      {data.items.map((item) => (
        <Result key={item.provider_id} item={item} />
      ))}
      {data.next_cursor != null && <More key={data.next_cursor} wanted={wanted} cursor={data.next_cursor} />}
    </>
  );
}

function Specialties({ names }: { names: readonly string[] }) {
  const follow = useFollow();
  return (
    <div className="tags">
      {names.map((name) => (
        <a key={name} href={`/?specialty=${encodeURIComponent(name)}`} onClick={follow}>
          <bdi>{name}</bdi>
        </a>
      ))}
    </div>
  );
}

function SearchedFor() {
  const { q, specialty, near } = route.useSearch();
  const follow = useFollow();
  return (
    <p className="row small">
      {[q, specialty].filter(Boolean).map((one) => (
        <span key={one} className="chip plain">
          <bdi>{one}</bdi>
        </span>
      ))}
      {near !== undefined && (
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
