import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { api, newKey, type Provider, type Schemas } from "../app/api";
import { refusalText } from "../app/refusals";
import { useFollow } from "../app/shell";
import { sayDay } from "../app/time";
import { speakOut } from "../ui/spoken";
import { Desk } from "./desk";
import { Affected } from "./leave";
import { rulesQuery, zoneOf } from "./visit";

const route = getRouteApi("/desk/hours/$provider");

/** Weekdays of the wire, and a date of each for its name. */
const DAYS = {
  monday: "2026-11-30",
  tuesday: "2026-12-01",
  wednesday: "2026-12-02",
  thursday: "2026-12-03",
  friday: "2026-12-04",
  saturday: "2026-12-05",
  sunday: "2026-12-06",
} as const;
type Day = keyof typeof DAYS;
type Rules = Schemas["AvailabilityBody"];
type Place = Schemas["LocationBody"];
type Kind = Schemas["VisitTypeRules"];

/** Opening hours and visit types: changed as a whole, never over another's change. */
export function HoursPage() {
  const { provider } = route.useParams();
  return <Desk provider={provider}>{(found) => <Hours provider={found} />}</Desk>;
}

function Hours({ provider }: { provider: Provider }) {
  const found = useQuery({ ...rulesQuery(provider.provider_id), staleTime: Infinity });
  if (found.data === undefined) return <div className="card page-room" aria-busy="true" />;
  return <Editor key={found.data.tag} provider={provider} rules={found.data.rules} tag={found.data.tag} />;
}

function Editor({ provider, rules, tag }: { provider: Provider; rules: Rules; tag: string }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const follow = useFollow();
  const [draft, setDraft] = useState(rules);
  const [effect, setEffect] = useState<Schemas["AvailabilityAnswer"]>();
  const [wrong, setWrong] = useState<string>();
  const [isBehind, setBehind] = useState(false);
  const zone = zoneOf(provider);
  const put = (isDry: boolean) =>
    api.PUT("/v1/providers/{provider_id}/availability", {
      params: {
        path: { provider_id: provider.provider_id },
        query: isDry ? { dry_run: "true" } : {},
        header: { "Idempotency-Key": newKey() },
      },
      headers: { "If-Match": tag },
      body: draft as Schemas["AvailabilityRequest"],
    });
  const ask = async (isDry: boolean) => {
    const { data, error } = await put(isDry);
    if (error !== undefined) {
      setBehind(error.code === "version_behind");
      const fields = (error.errors ?? []).map((one) => `${one.field}: ${one.message}`).join("; ");
      return setWrong(fields || i18n._(refusalText(error.code)));
    }
    setWrong(undefined);
    if (isDry) return setEffect(data);
    setEffect(undefined);
    speakOut(t`The hours are saved.`);
    await queries.invalidateQueries({ queryKey: ["rules"] });
    await queries.invalidateQueries({ queryKey: ["provider"] });
  };
  const change = (next: Partial<Rules>) => {
    setDraft({ ...draft, ...next });
    setEffect(undefined);
  };
  const reload = () => void queries.invalidateQueries({ queryKey: ["rules"] });
  return (
    <div className="stack medium">
      <div className="row between">
        <h1>
          <Trans>Hours and visits</Trans>
        </h1>
        <a className="button small" href={`/desk/entry/${provider.provider_id}`} onClick={follow}>
          <Trans>Prices, languages, about</Trans>
        </a>
      </div>
      {wrong !== undefined && (
        <div className="notice bad row between" role="alert">
          <span>
            {isBehind ? <Trans>These hours were changed meanwhile. Load them again, then change.</Trans> : wrong}
          </span>
          {isBehind && (
            <button className="button small" type="button" onClick={reload}>
              <Trans>Load again</Trans>
            </button>
          )}
        </div>
      )}
      {draft.locations.map((place, index) => (
        <PlaceHours
          key={place.location_id}
          place={place}
          onChange={(next) => change({ locations: draft.locations.with(index, next) })}
          onRemove={
            draft.locations.length > 1 && isIdle(place)
              ? () => change({ locations: draft.locations.filter((_, at) => at !== index) })
              : undefined
          }
        />
      ))}
      <div>
        <button
          className="button"
          type="button"
          onClick={() => change({ locations: [...draft.locations, newPlace(draft.locations, zone)] })}
        >
          <Trans>Add a place</Trans>
        </button>
      </div>
      <section className="card stack" aria-labelledby="kinds">
        <h2 id="kinds">
          <Trans>Visits that can be booked</Trans>
        </h2>
        {draft.visit_types.map((kind, index) => (
          <KindRow
            key={index}
            kind={kind}
            index={index}
            onChange={(next) => change({ visit_types: draft.visit_types.with(index, next) })}
          />
        ))}
        <button
          className="button"
          type="button"
          onClick={() => change({ visit_types: [...draft.visit_types, newKind(draft.visit_types, t`New visit`)] })}
        >
          <Trans>Add a visit</Trans>
        </button>
        <Count
          id="lanes"
          label={<Trans>Visits at one time, with overbooking</Trans>}
          value={draft.lanes ?? 1}
          most={9}
          onChange={(lanes) => change({ lanes })}
        />
      </section>
      {effect === undefined ? (
        <button className="button primary" type="button" onClick={() => void ask(true)}>
          <Trans>See what it affects</Trans>
        </button>
      ) : (
        <section className="card stack" aria-live="polite">
          <h2>
            <Plural
              value={effect.affected.length}
              _0="No visit is affected"
              one="# visit is affected"
              other="# visits are affected"
            />
          </h2>
          {effect.affected.length > 0 && (
            <Affected rows={effect.affected} provider={provider.provider_id} zone={zone} />
          )}
          <div className="row">
            <button className="button primary" type="button" onClick={() => void ask(false)}>
              <Trans>Save the hours</Trans>
            </button>
            <button className="button" type="button" onClick={() => setEffect(undefined)}>
              <Trans>Change more</Trans>
            </button>
          </div>
        </section>
      )}
    </div>
  );
}

function newKind(known: readonly Kind[], title: string): Kind {
  let number = known.length + 1;
  while (known.some((one) => one.visit_type === `visit${number}`)) number += 1;
  return {
    ...(known[0] ?? {
      buffer_before: 0,
      buffer_after: 0,
      alignment: 15,
      notice_minutes: 60,
      horizon_days: 90,
      locations: [],
      alignment_from: "opening",
    }),
    visit_type: `visit${number}`,
    title,
    minutes: 30,
    active: true,
  } as Kind;
}

/** Another place where the doctor works; its hours are empty at first. */
function newPlace(known: readonly Place[], zone: string): Place {
  let number = known.length + 1;
  while (known.some((one) => one.location_id === `loc_${number}`)) number += 1;
  return { location_id: `loc_${number}`, name: "", time_zone: known[0]?.time_zone ?? zone, weekly: {}, exceptions: {} };
}

/** Only a place without any hours: where there are some, visits may be booked. */
const isIdle = ({ weekly, exceptions }: Place) =>
  Object.values(weekly).every((hours) => hours.length === 0) && Object.keys(exceptions ?? {}).length === 0;

function PlaceHours(props: { place: Place; onChange: (next: Place) => void; onRemove: (() => void) | undefined }) {
  const { place, onChange, onRemove } = props;
  const set = (day: Day, hours: { opens: string; closes: string }[]) =>
    onChange({ ...place, weekly: { ...place.weekly, [day]: hours } });
  return (
    <section className="card stack" aria-label={place.name || place.location_id}>
      <div className="row between">
        <div>
          <h2>
            <bdi>{place.name || place.location_id}</bdi>
          </h2>
          <p className="quiet small">
            <bdi>{place.time_zone}</bdi>
          </p>
        </div>
        {onRemove !== undefined && (
          <button className="button small" type="button" onClick={onRemove}>
            <Trans>Remove the place</Trans>
          </button>
        )}
      </div>
      <div className="field">
        <label htmlFor={`place-${place.location_id}`}>
          <Trans>What patients call the place</Trans>
        </label>
        <input
          id={`place-${place.location_id}`}
          className="input"
          value={place.name ?? ""}
          maxLength={200}
          onChange={(event) => onChange({ ...place, name: event.target.value })}
        />
      </div>
      {(Object.keys(DAYS) as Day[]).map((day) => (
        <DayHours key={day} day={day} hours={place.weekly[day] ?? []} onChange={(hours) => set(day, hours)} />
      ))}
    </section>
  );
}

type Span = { opens: string; closes: string };

function DayHours(props: { day: Day; hours: readonly Span[]; onChange: (hours: Span[]) => void }) {
  const { day, hours, onChange } = props;
  const { t } = useLingui();
  const name = sayDay(DAYS[day], { weekday: "long" });
  const set = (index: number, next: Partial<Span>) =>
    onChange(hours.map((one, at) => (at === index ? { ...one, ...next } : one)));
  return (
    <fieldset className="dayhours">
      <legend>{name}</legend>
      <div className="stack tight">
        {hours.length === 0 && (
          <span className="quiet">
            <Trans>closed</Trans>
          </span>
        )}
        {hours.map((span, index) => (
          <div key={index} className="row">
            <input
              className="input time"
              type="time"
              step={300}
              value={span.opens}
              aria-label={t`${name} opens`}
              onChange={(event) => set(index, { opens: event.target.value })}
            />
            –
            <input
              className="input time"
              type="time"
              step={300}
              value={span.closes === "24:00" ? "00:00" : span.closes}
              aria-label={t`${name} closes`}
              onChange={(event) => set(index, { closes: event.target.value === "00:00" ? "24:00" : event.target.value })}
            />
            <button
              className="button small"
              type="button"
              aria-label={t`${name}: remove ${span.opens} to ${span.closes}`}
              onClick={() => onChange(hours.filter((_, at) => at !== index))}
            >
              <Trans>Remove</Trans>
            </button>
          </div>
        ))}
      </div>
      <button
        className="button small"
        type="button"
        aria-label={t`${name}: add hours`}
        onClick={() => onChange([...hours, hours.length === 0 ? { opens: "09:00", closes: "12:00" } : { opens: "14:00", closes: "17:00" }])}
      >
        <Trans>Add hours</Trans>
      </button>
    </fieldset>
  );
}

interface CountProps {
  id: string;
  label: React.ReactNode;
  value: number;
  most: number;
  onChange: (next: number) => void;
}

function Count({ id, label, value, most, onChange }: CountProps) {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="input number"
        type="number"
        min={1}
        max={most}
        value={value}
        onChange={(event) => onChange(Number(event.target.value))}
      />
    </div>
  );
}

function KindRow({ kind, index, onChange }: { kind: Kind; index: number; onChange: (next: Kind) => void }) {
  const number = (name: "minutes" | "buffer_before" | "buffer_after" | "alignment", label: React.ReactNode, least: number) => (
    <div className="field">
      <label htmlFor={`${name}-${index}`}>{label}</label>
      <input
        id={`${name}-${index}`}
        className="input number"
        type="number"
        min={least}
        max={1440}
        step={5}
        value={kind[name]}
        onChange={(event) => onChange({ ...kind, [name]: Number(event.target.value) })}
      />
    </div>
  );
  return (
    <fieldset className="kind">
      <legend className="hidden">{kind.title}</legend>
      <div className="field grow">
        <label htmlFor={`title-${index}`}>
          <Trans>Name</Trans>
        </label>
        <input
          id={`title-${index}`}
          className="input"
          value={kind.title}
          maxLength={200}
          onChange={(event) => onChange({ ...kind, title: event.target.value })}
        />
      </div>
      {number("minutes", <Trans>Minutes</Trans>, 5)}
      {number("alignment", <Trans>A start every</Trans>, 5)}
      {number("buffer_after", <Trans>Pause after</Trans>, 0)}
      <Count
        id={`capacity-${index}`}
        label={<Trans>Patients together</Trans>}
        value={kind.capacity ?? 1}
        most={500}
        onChange={(capacity) => onChange({ ...kind, capacity })}
      />
      <label className="check">
        <input
          type="checkbox"
          checked={kind.active ?? true}
          onChange={(event) => onChange({ ...kind, active: event.target.checked })}
        />
        <Trans>offered</Trans>
      </label>
    </fieldset>
  );
}
