import { Plural, Trans } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import type { ProviderItem } from "../app/api";
import { useFollow } from "../app/shell";
import { isoWeek, localOf, mondayOf, sayStart, today } from "../app/time";
import { useFreeCount, useSoonest } from "../live/hooks";

/** How many of the next free times a card offers. */
const OFFERED = 3;
/** Counts begin after the first paint: they cost more than they tell in that moment. */
const LATE_MS = 200;

export interface Watched {
  topic: string;
  type: string;
  zone: string;
  /** The soonest start as the list knew it. */
  at: string;
}

/** What is watched of a provider of a list: the week of the soonest time. */
export function watchedOf(item: ProviderItem): Watched | undefined {
  const type = item.next_free_visit_type ?? item.visit_types[0]?.visit_type;
  const at = item.next_free;
  if (type === undefined || !at) return undefined;
  const zone = item.clinic.time_zone;
  const week = isoWeek(today(zone, Date.parse(at)));
  return { topic: `slots/${item.provider_id}/${type}/${week}`, type, zone, at };
}

export function Result({ item }: { item: ProviderItem }) {
  const follow = useFollow();
  const watched = watchedOf(item);
  const href = `/p/${item.provider_id}${watched === undefined ? "" : `?type=${watched.type}`}`;
  return (
    <li className={`card result${item.live ? "" : " old"}`}>
      <Face name={item.name} photo={item.photo} />
      <div className="about">
        <h3>
          <a className="whole" href={href} onClick={follow}>
            <bdi>{item.name}</bdi>
          </a>
        </h3>
        <p className="quiet">
          <bdi>{item.specialty}</bdi>
        </p>
        <p className="quiet small">
          <bdi>
            {item.clinic.name}, {item.clinic.city}
          </bdi>
          {item.distance_km !== undefined && item.distance_km !== null && (
            <> · {item.distance_km.toFixed(1)} km</>
          )}
        </p>
      </div>
      {watched === undefined ? (
        <p className="times-soon quiet">
          <Trans>No free time just now</Trans>
        </p>
      ) : (
        <Soonest watched={watched} href={href} />
      )}
    </li>
  );
}

function Soonest({ watched, href }: { watched: Watched; href: string }) {
  const follow = useFollow();
  const isLate = useLate();
  const { topic, zone, at } = watched;
  const live = useSoonest(isLate ? topic : undefined, OFFERED);
  if (live === "") {
    return (
      <p className="times-soon quiet">
        <Trans>No free time left that week</Trans>
      </p>
    );
  }
  const starts = (live ?? at).split(" ");
  const day = today(zone, Date.parse(starts[0]!));
  const sameDay = starts.filter((one) => today(zone, Date.parse(one)) === day);
  return (
    <div className="times-soon">
      <p>
        <strong>
          <bdi>{sayStart(starts[0]!, zone)}</bdi>
        </strong>{" "}
        {isLate && <FreeThisWeek topic={topic} />}
      </p>
      <div className="next">
        {sameDay.map((start) => (
          <a key={start} href={`${href}&week=${mondayOf(day)}&at=${start}`} onClick={follow}>
            <bdi>{localOf(start, zone).time}</bdi>
          </a>
        ))}
      </div>
    </div>
  );
}

function useLate(): boolean {
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), LATE_MS);
    return () => clearTimeout(timer);
  }, []);
  return isLate;
}

function FreeThisWeek({ topic }: { topic: string }) {
  const free = useFreeCount([topic]);
  if (free === undefined) return null;
  return (
    <span className="quiet small">
      <Plural value={free} one="# free that week" other="# free that week" />
    </span>
  );
}

/** The room of a result, until it is here. */
export function ResultRoom() {
  return (
    <li className="card result bones" aria-hidden="true">
      <span className="avatar" />
      <div className="about">
        <p className="bone" />
        <p className="bone short" />
      </div>
      <div className="times-soon">
        <p className="bone short" />
        <div className="next" />
      </div>
    </li>
  );
}

/** A photo, or initials where there is none; its room is the same. */
export function Face({ name, photo }: { name: string; photo: string | null | undefined }) {
  return (
    <span className="avatar" aria-hidden={!photo}>
      {photo ? <img src={photo} alt={name} width="72" height="72" loading="lazy" /> : initials(name)}
    </span>
  );
}

export function initials(name: string): string {
  const words = name.split(" ").filter((word) => !/^(dr|prof)\.?$/i.test(word));
  return (words.at(0)?.at(0) ?? "") + (words.length > 1 ? (words.at(-1)?.at(0) ?? "") : "");
}
