import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { api, newKey, type Schemas } from "../app/api";
import { refusalText } from "../app/refusals";
import { sayDay } from "../app/time";
import { speakOut } from "../ui/spoken";
import { rulesQuery } from "./visit";

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
export type Day = keyof typeof DAYS;
export type Rules = Schemas["AvailabilityBody"];
export type Place = Schemas["LocationBody"];
export type Kind = Schemas["VisitTypeRules"];
type Effect = Schemas["AvailabilityAnswer"];

/** The rules of a calendar: read once, so that what is typed is not replaced meanwhile. */
export const useRules = (id: string) => useQuery({ ...rulesQuery(id), staleTime: Infinity });

/**
 * Rules while they are changed: as a whole, never over another's change, and what they would
 * affect is seen before they are saved. `initially`: as they are, or what is proposed instead.
 */
export function useDraft(id: string, initially: Rules, tag: string) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const [draft, setDraft] = useState(initially);
  const [effect, setEffect] = useState<Effect>();
  const [wrong, setWrong] = useState<string>();
  const [isBehind, setBehind] = useState(false);
  const put = (isDry: boolean) =>
    api.PUT("/v1/providers/{provider_id}/availability", {
      params: {
        path: { provider_id: id },
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
  const changeMore = () => setEffect(undefined);
  const reload = () => void queries.invalidateQueries({ queryKey: ["rules"] });
  return { draft, effect, wrong, setWrong, isBehind, ask, change, changeMore, reload };
}

type Draft = ReturnType<typeof useDraft>;

/** Why the rules were not taken. */
export function Refusal({ draft: { wrong, isBehind, reload } }: { draft: Draft }) {
  if (wrong === undefined) return null;
  return (
    <div className="notice bad row between" role="alert">
      <span>{isBehind ? <Trans>These hours were changed meanwhile. Load them again, then change.</Trans> : wrong}</span>
      {isBehind && (
        <button className="button small" type="button" onClick={reload}>
          <Trans>Load again</Trans>
        </button>
      )}
    </div>
  );
}

/** First what the rules would affect, then the way to save them. `children`: the visits affected. */
export function Saving(props: { draft: Draft; onLook?: () => boolean; children: (rows: Effect["affected"]) => ReactNode }) {
  const { draft, onLook = () => true, children } = props;
  const { effect, ask, changeMore } = draft;
  if (effect === undefined) {
    return (
      <button className="button primary" type="button" onClick={() => onLook() && void ask(true)}>
        <Trans>See what it affects</Trans>
      </button>
    );
  }
  return (
    <section className="card stack" aria-live="polite">
      <h2>
        <Plural
          value={effect.affected.length}
          _0="No visit is affected"
          one="# visit is affected"
          other="# visits are affected"
        />
      </h2>
      {effect.affected.length > 0 && children(effect.affected)}
      <div className="row">
        <button className="button primary" type="button" onClick={() => void ask(false)}>
          <Trans>Save the hours</Trans>
        </button>
        <button className="button" type="button" onClick={changeMore}>
          <Trans>Change more</Trans>
        </button>
      </div>
    </section>
  );
}

/** The weekly hours of a place, day by day. */
export function WeekHours({ place, onChange }: { place: Place; onChange: (next: Place) => void }) {
  const set = (day: Day, hours: Span[]) => onChange({ ...place, weekly: { ...place.weekly, [day]: hours } });
  return (Object.keys(DAYS) as Day[]).map((day) => (
    <DayHours key={day} day={day} hours={place.weekly[day] ?? []} onChange={(hours) => set(day, hours)} />
  ));
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
