import "./seats.css";
import { Plural, Trans } from "@lingui/react/macro";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { Provider } from "../app/api";
import { isoWeek, localOf, mondayOf, sayDay, today } from "../app/time";
import type { Frame } from "../live/frames";
import { follow, type Left } from "./left";

const route = getRouteApi("/p/$provider");

/** Of a visit among one's own: that others take part in it. */
export function Together() {
  return (
    <p>
      <span className="chip plain">
        <Trans>Group visit: you have one of its seats</Trans>
      </span>
    </p>
  );
}

/** How many seats each free start of a group visit has left this week, as they go. */
export function SeatsLeft({ provider }: { provider: Provider }) {
  const { type: wanted, week } = route.useSearch();
  const zone = provider.locations[0]?.time_zone ?? provider.clinic.time_zone;
  const type = provider.visit_types.find((one) => one.visit_type === wanted) ?? provider.visit_types[0];
  if (type === undefined || type.capacity === undefined || type.capacity < 2) return null;
  const soonest = type.next_free ?? undefined;
  const monday = week ?? mondayOf(today(zone, soonest === undefined ? undefined : Date.parse(soonest)));
  const topic = `slots/${provider.provider_id}/${type.visit_type}/${isoWeek(monday)}`;
  return <Seats key={topic} topic={topic} zone={zone} />;
}

function Seats({ topic, zone }: { topic: string; zone: string }) {
  const [left, setLeft] = useState<Left>(new Map());
  useEffect(() => {
    const stream = new EventSource(`/v1/stream?topics=${encodeURIComponent(topic)}`);
    stream.onmessage = (event: MessageEvent<string>) => {
      const frame = JSON.parse(event.data) as Frame;
      setLeft((before) => follow(before, frame));
    };
    return () => stream.close();
  }, [topic]);
  if (left.size === 0) return null;
  const days = new Map<string, string[]>();
  for (const start of [...left.keys()].sort()) {
    const { date } = localOf(start, zone);
    days.set(date, [...(days.get(date) ?? []), start]);
  }
  return (
    <section className="card stack" aria-labelledby="seats">
      <h2 id="seats">
        <Trans>A visit together with others</Trans>
      </h2>
      {[...days].map(([day, starts]) => (
        <div key={day} className="stack tight">
          <h3>{sayDay(day, { weekday: "long", day: "numeric", month: "long" })}</h3>
          <ul className="plain-list seats">
            {starts.map((start) => (
              <Seat key={start} start={start} seats={left.get(start) ?? 0} zone={zone} />
            ))}
          </ul>
        </div>
      ))}
    </section>
  );
}

function Seat({ start, seats, zone }: { start: string; seats: number; zone: string }) {
  return (
    <li data-start={start}>
      <time dateTime={start}>
        <bdi>{localOf(start, zone).time}</bdi>
      </time>
      <span className={seats > 1 ? "chip" : "chip warn"}>
        <Plural value={seats} one="# seat left" other="# seats left" />
      </span>
    </li>
  );
}
