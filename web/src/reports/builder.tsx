import { Trans, useLingui } from "@lingui/react/macro";
import type { FormEvent } from "react";
import type { Schemas } from "../app/api";
import { bysOf, MEASURES, type Asked, type By, type Compare, type Measure } from "./asking";
import { BY_NAMES, MEASURE_NAMES, sayWeekday } from "./figures";

const AGES = ["0-17", "18-39", "40-64", "65+"] as const;

/** The question: what, by what, when, compared with what, and of which visits. */
export function Builder({
  asked,
  doctors,
  hasPlaces,
  onChange,
}: {
  asked: Asked;
  doctors: readonly Schemas["CalendarAnswer"][];
  /** Whether there is more than one clinic. */
  hasPlaces: boolean;
  onChange: (asked: Asked) => void;
}) {
  const { t, i18n } = useLingui();
  const set = (change: Partial<Asked>) => onChange({ ...asked, ...change });
  const measured = (measure: Measure) => {
    const bys = bysOf(measure);
    set({ measure, by: bys.includes(asked.by) ? asked.by : "week" });
  };
  const bys = bysOf(asked.measure).filter((by) => hasPlaces || by !== "place");
  const ofVisits = bysOf(asked.measure).includes("lead");
  const compares: [Compare, string][] = [
    ["nothing", t`nothing`],
    ["previous", t`as many days before`],
    ["year", t`a year before`],
  ];
  return (
    <form className="card stack builder" onSubmit={(event: FormEvent) => event.preventDefault()}>
      <div className="questions">
        <div className="field">
          <label htmlFor="measure">
            <Trans>What</Trans>
          </label>
          <select id="measure" className="input" value={asked.measure} onChange={(event) => measured(event.target.value as Measure)}>
            {MEASURES.map((one) => (
              <option key={one} value={one}>
                {i18n._(MEASURE_NAMES[one])}
              </option>
            ))}
          </select>
        </div>
        <div className="field">
          <label htmlFor="by">
            <Trans>By</Trans>
          </label>
          <select id="by" className="input" value={asked.by} onChange={(event) => set({ by: event.target.value as By })}>
            {bys.map((one) => (
              <option key={one} value={one}>
                {i18n._(BY_NAMES[one])}
              </option>
            ))}
          </select>
        </div>
        <div className="field">
          <label htmlFor="first">
            <Trans>From</Trans>
          </label>
          <input
            id="first"
            type="date"
            className="input"
            value={asked.first}
            max={asked.last}
            required
            onChange={(event) => event.target.value !== "" && set({ first: event.target.value })}
          />
        </div>
        <div className="field">
          <label htmlFor="last">
            <Trans>To, included</Trans>
          </label>
          <input
            id="last"
            type="date"
            className="input"
            value={asked.last}
            min={asked.first}
            required
            onChange={(event) => event.target.value !== "" && set({ last: event.target.value })}
          />
        </div>
        <div className="field">
          <label htmlFor="compare">
            <Trans>Compared with</Trans>
          </label>
          <select id="compare" className="input" value={asked.compare} onChange={(event) => set({ compare: event.target.value as Compare })}>
            {compares.map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        </div>
      </div>
      <details open={isFiltered(asked)}>
        <summary>
          <Trans>Only some visits</Trans>
        </summary>
        <div className="questions">
          {doctors.length > 0 && (
            <Choices
              name="providers"
              title={t`Doctors`}
              chosen={asked.providers}
              choices={doctors.map((one) => [one.provider_id, one.name])}
              onChange={(providers) => set({ providers })}
            />
          )}
          <Choices
            name="weekdays"
            title={t`Days of the week`}
            chosen={asked.weekdays}
            choices={["1", "2", "3", "4", "5", "6", "7"].map((key) => [key, sayWeekday(key)])}
            onChange={(weekdays) => set({ weekdays })}
          />
          {ofVisits && (
            <>
              <Choices
                name="ages"
                title={t`Age, of imported visits`}
                chosen={asked.ages}
                choices={AGES.map((age) => [age, age.replace("-", "–")])}
                onChange={(ages) => set({ ages })}
              />
              <div className="stack">
                <Days name="lead_from" title={t`Booked at least so many days before`} value={asked.lead_from} onChange={(lead_from) => set({ lead_from })} />
                <Days name="lead_to" title={t`Booked at most so many days before`} value={asked.lead_to} onChange={(lead_to) => set({ lead_to })} />
                <div className="field">
                  <label htmlFor="reminded">
                    <Trans>Reminder, of imported visits</Trans>
                  </label>
                  <select id="reminded" className="input" value={asked.reminded} onChange={(event) => set({ reminded: event.target.value })}>
                    <option value="">{t`with and without`}</option>
                    <option value="true">{t`reminded`}</option>
                    <option value="false">{t`not reminded`}</option>
                  </select>
                </div>
              </div>
            </>
          )}
        </div>
      </details>
    </form>
  );
}

function isFiltered({ providers, weekdays, ages, lead_from, lead_to, reminded }: Asked): boolean {
  return providers.length + weekdays.length + ages.length > 0 || lead_from + lead_to + reminded !== "";
}

function Choices({
  name,
  title,
  chosen,
  choices,
  onChange,
}: {
  name: string;
  title: string;
  chosen: readonly string[];
  choices: readonly (readonly [string, string])[];
  onChange: (chosen: readonly string[]) => void;
}) {
  const change = (value: string, isOn: boolean) => onChange(isOn ? [...chosen, value] : chosen.filter((one) => one !== value));
  return (
    <fieldset className="choices">
      <legend>{title}</legend>
      {choices.map(([value, shown]) => (
        <label key={value} className="check">
          <input
            type="checkbox"
            name={name}
            checked={chosen.includes(value)}
            onChange={(event) => change(value, event.target.checked)}
          />
          <bdi>{shown}</bdi>
        </label>
      ))}
    </fieldset>
  );
}

function Days({ name, title, value, onChange }: { name: string; title: string; value: string; onChange: (value: string) => void }) {
  return (
    <div className="field">
      <label htmlFor={name}>{title}</label>
      <input
        id={name}
        type="number"
        inputMode="numeric"
        min={0}
        max={1098}
        className="input"
        value={value}
        onChange={(event) => /^\d{0,4}$/.test(event.target.value) && onChange(event.target.value)}
      />
    </div>
  );
}
