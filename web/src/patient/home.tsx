import "./home.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { infiniteQueryOptions, useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";
import { answered, api } from "../app/api";
import { DEMO_PEOPLE } from "../app/demo";
import { session } from "../app/session";
import { useContextOfSession, useFollow } from "../app/shell";
import { useSite } from "../app/site";
import { Icon } from "../ui/icons";
import { Board } from "./board";
import { Result, ResultRoom } from "./result";

const route = getRouteApi("/");
const PAGE = 12;
const NEAR_KM = 200;

interface Wanted {
  q?: string | undefined;
  specialty?: string | undefined;
  near?: string | undefined;
}

/** The list of providers; main.tsx asks for it before React is there. */
export function providersQuery({ q, specialty, near }: Wanted) {
  return infiniteQueryOptions({
    queryKey: ["providers", q, specialty, near],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam }) =>
      answered(
        await api.GET("/v1/providers", {
          params: {
            query: {
              sort: "soonest",
              limit: PAGE,
              ...(q === undefined ? {} : { query: q }),
              ...(specialty === undefined ? {} : { specialty }),
              ...(near === undefined ? {} : { near, within_km: NEAR_KM }),
              ...(pageParam === undefined ? {} : { cursor: pageParam }),
            },
          },
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

/** First page and results are one: search at once, soonest first, everything live. */
export function Home() {
  const { t } = useLingui();
  const { q, specialty, near } = route.useSearch();
  const isSearch = q !== undefined || specialty !== undefined || near !== undefined;
  const found = useInfiniteQuery(providersQuery({ q, specialty, near }));
  const items = found.data?.pages.flatMap((page) => page.items) ?? [];
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
        {!isSearch && <Board items={items.slice(0, PAGE)} />}
      </section>
      {!isSearch && <DemoPeople />}
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
        </ul>
        {found.hasNextPage && (
          <button
            className="button more"
            type="button"
            disabled={found.isFetchingNextPage}
            onClick={() => void found.fetchNextPage()}
          >
            <Trans>Show more</Trans>
          </button>
        )}
      </section>
    </div>
  );
}

function SearchForm() {
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
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        // Two decimals are a kilometre: enough to sort by, and no one's front door.
        const near = `${coords.latitude.toFixed(2)},${coords.longitude.toFixed(2)}`;
        void navigate({ to: "/", search: (before) => ({ ...before, near }) });
      },
      () => setFailed(true),
      { maximumAge: 600_000, timeout: 10_000 },
    );
  };
  return (
    <form role="search" onSubmit={submit} key={search.q}>
      <label className="find-label" htmlFor="q">
        <Trans>Name, specialty, clinic or town</Trans>
      </label>
      <div className="find">
        <Icon name="search" />
        <input id="q" name="q" type="search" defaultValue={search.q ?? ""} autoComplete="off" />
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

/** On a demo site: come in as one of four people, with one click. */
function DemoPeople() {
  const { i18n } = useLingui();
  const site = useSite();
  const context = useContextOfSession();
  const navigate = useNavigate();
  const [isAsking, setAsking] = useState(false);
  // Its room is kept until it is known whether this is a demo, so that nothing jumps.
  if (site?.demo === false || context !== undefined) return null;
  if (site === undefined) return <div className="demo demo-room" aria-hidden="true" />;
  const enter = async (persona: string) => {
    setAsking(true);
    const found = await session.enterDemo(persona);
    setAsking(false);
    if (found.signed !== undefined) void navigate({ href: homeOf(found.signed.context) });
  };
  return (
    <section className="demo" aria-labelledby="demo">
      <h2 id="demo">
        <Trans>This is a demo. Look at it through four pairs of eyes:</Trans>
      </h2>
      <div className="people">
        {DEMO_PEOPLE.map(({ persona, icon, name, does }) => (
          <button key={persona} type="button" disabled={isAsking} onClick={() => void enter(persona)}>
            <Icon name={icon} size={24} />
            <span>
              <strong>{i18n._(name)}</strong>
              <span className="small quiet">{i18n._(does)}</span>
            </span>
          </button>
        ))}
      </div>
    </section>
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
