import "./slots.css";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import type { FormEvent } from "react";
import { answered, api, type ProviderItem } from "../app/api";
import { useFollow } from "../app/shell";
import { isoWeek, say, today } from "../app/time";
import { useFreeCount, useSoonest } from "../live/hooks";

const route = getRouteApi("/");

/** First page and results are one: search at once, soonest first, counts that change live. */
export function Home() {
  const { t } = useLingui();
  const { q, specialty } = route.useSearch();
  const navigate = useNavigate();
  const found = useInfiniteQuery({
    queryKey: ["providers", q, specialty],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam }) =>
      answered(
        await api.GET("/v1/providers", {
          params: {
            query: {
              sort: "soonest",
              limit: 12,
              ...(q === undefined ? {} : { query: q }),
              ...(specialty === undefined ? {} : { specialty }),
              ...(pageParam === undefined ? {} : { cursor: pageParam }),
            },
          },
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const search = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const wanted = String(form.get("q") ?? "").trim();
    const special = String(form.get("specialty") ?? "").trim();
    void navigate({
      to: "/",
      search: {
        ...(wanted === "" ? {} : { q: wanted }),
        ...(special === "" ? {} : { specialty: special }),
      },
    });
  };
  const items = found.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <div className="stack">
      <div>
        <h1>
          <Trans>Find care, see times change live</Trans>
        </h1>
        <p className="quiet">
          <Trans>Soonest first. Every time you see is as free as it looks, this second.</Trans>
        </p>
      </div>
      <form className="search" role="search" onSubmit={search} key={`${q} ${specialty}`}>
        <div className="field">
          <label htmlFor="q">
            <Trans>Name, specialty, clinic or town</Trans>
          </label>
          <input id="q" name="q" className="input" type="search" defaultValue={q ?? ""} />
        </div>
        <div className="field">
          <label htmlFor="specialty">
            <Trans>Specialty</Trans>
          </label>
          <input
            id="specialty"
            name="specialty"
            className="input"
            defaultValue={specialty ?? ""}
            placeholder=""
          />
        </div>
        <button className="button primary" type="submit">
          <Trans>Search</Trans>
        </button>
      </form>
      {found.isError && (
        <p className="notice bad" role="alert">
          <Trans>The list could not be loaded. Please try again.</Trans>
        </p>
      )}
      {found.isSuccess && items.length === 0 && (
        <p className="card" role="status">
          <Trans>Nothing found. Try fewer or other words.</Trans>
        </p>
      )}
      <ul className="results" aria-label={t`Results`} aria-busy={found.isPending}>
        {items.map((item) => (
          <li key={item.provider_id} className="card">
            <Result item={item} />
          </li>
        ))}
      </ul>
      {found.hasNextPage && (
        <button
          className="button"
          type="button"
          disabled={found.isFetchingNextPage}
          onClick={() => void found.fetchNextPage()}
        >
          <Trans>Show more</Trans>
        </button>
      )}
    </div>
  );
}

function Result({ item }: { item: ProviderItem }) {
  const follow = useFollow();
  const zone = item.clinic.time_zone;
  const type = item.next_free_visit_type ?? item.visit_types[0]?.visit_type;
  const href = `/p/${item.provider_id}${type === undefined ? "" : `?type=${type}`}`;
  return (
    <a className="result" href={href} onClick={follow}>
      <span className="avatar" aria-hidden="true">
        {initials(item.name)}
      </span>
      <span>
        <h2 className="name">
          <bdi>{item.name}</bdi>
        </h2>
        <span className="quiet">
          <bdi>
            {item.specialty} · {item.clinic.name}, {item.clinic.city}
          </bdi>
        </span>
        <br />
        {type !== undefined && item.next_free ? (
          <Soonest provider={item.provider_id} type={type} zone={zone} at={item.next_free} />
        ) : (
          <Trans>No free time just now</Trans>
        )}
      </span>
      {type !== undefined && item.next_free && (
        <FreeThisWeek provider={item.provider_id} type={type} zone={zone} at={item.next_free} />
      )}
    </a>
  );
}

interface Week {
  provider: string;
  type: string;
  zone: string;
  /** The soonest start as the list knew it. */
  at: string;
}

function topicOf(week: Week): string {
  const { provider, type, zone, at } = week;
  return `slots/${provider}/${type}/${isoWeek(today(zone, Date.parse(at)))}`;
}

/** The soonest start: as the list said, then as it is this second. */
function Soonest(week: Week) {
  const live = useSoonest(topicOf(week));
  if (live === null) return <Trans>No free time left that week</Trans>;
  const options = {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  } as const;
  return (
    <Trans>
      Soonest:{" "}
      <strong>
        <bdi>{say(live ?? week.at, week.zone, options)}</bdi>
      </strong>
    </Trans>
  );
}

function FreeThisWeek(week: Week) {
  const free = useFreeCount([topicOf(week)]);
  if (free === undefined) return null;
  return (
    <span className="chip">
      <Plural value={free} one="# free that week" other="# free that week" />
    </span>
  );
}

export function initials(name: string): string {
  const words = name.split(" ").filter((word) => !/^(dr|prof)\.?$/i.test(word));
  return (words.at(0)?.at(0) ?? "") + (words.length > 1 ? (words.at(-1)?.at(0) ?? "") : "");
}
