import "./series.css";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useRef, useState, type FormEvent } from "react";
import { api, type Provider } from "../app/api";
import { refusalText } from "../app/refusals";
import { addDays, localOf, today } from "../app/time";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";
import { useSending } from "../app/keys";
import { chosenStarts, DATE_STATE, sayVisit, type Picks, type PreviewDate, type Rule } from "./asking";

interface Wish {
  provider: Provider;
  zone: string;
  /** The visit type, and a start to begin at. */
  type: string;
  start?: string | undefined;
  /** For whom, said by staff. */
  patient?: string | undefined;
}

export interface Way extends Wish {
  onDone?: () => void;
}

/** Opens the dialog in which a visit is repeated. */
export function RepeatButton(way: Way) {
  const [isOpen, setOpen] = useState(false);
  return (
    <div>
      <button className="button" type="button" onClick={() => setOpen(true)}>
        <Trans>Repeat …</Trans>
      </button>
      {isOpen && <RepeatDialog {...way} onClose={() => setOpen(false)} />}
    </div>
  );
}

interface Found {
  rule: Rule;
  type: string;
  dates: readonly PreviewDate[];
}

/** A rule, what is free of its dates, another time for those that are not, and all is booked in one go. */
export function RepeatDialog({ onClose, onDone, ...wish }: Way & { onClose: () => void }) {
  const { t, i18n } = useLingui();
  const { provider, zone, patient } = wish;
  const [found, setFound] = useState<Found>();
  const [picks, setPicks] = useState<Picks>(new Map());
  const [wrong, setWrong] = useState<string>();
  const { isAsking, send } = useSending();
  const [isDone, setDone] = useState(false);
  const ask = async (rule: Rule, type: string) => {
    const body = { provider_id: provider.provider_id, visit_type: type, rule };
    const answer = await send(body, () => api.POST("/v1/series/preview", { body }));
    if (answer === undefined) return;
    if (answer.data === undefined) return setWrong(i18n._(refusalText(answer.error?.code)));
    setWrong(undefined);
    setPicks(new Map());
    setFound({ rule, type, dates: answer.data.dates });
  };
  const starts = found === undefined ? [] : chosenStarts(found.dates, picks);
  const count = starts.length;
  const total = found?.dates.length ?? 0;
  const book = async () => {
    if (found === undefined) return;
    const body = {
      provider_id: provider.provider_id,
      visit_type: found.type,
      rule: found.rule,
      starts,
      all_or_nothing: true,
      ...(patient === undefined ? {} : { patient_id: patient }),
    };
    const answer = await send(body, (key) =>
      api.POST("/v1/series", { params: { header: { "Idempotency-Key": key } }, body }),
    );
    if (answer === undefined) return;
    if (answer.error !== undefined) {
      const { code } = answer.error;
      const why = i18n._(refusalText(code));
      if (code === "slot_unavailable" || code === "slot_not_offered") await ask(found.rule, found.type);
      return setWrong(why);
    }
    speakOut(t`All visits are booked.`);
    setDone(true);
    onDone?.();
  };
  if (isDone) {
    return (
      <Dialog title={t`All visits are booked`} onClose={onClose}>
        <p>
          <Plural value={count} one="# visit is in the calendar." other="# visits are in the calendar." />{" "}
          {found?.dates.some((one) => one.state === "beyond_horizon") === true && (
            <Trans>Those that are too far ahead follow by themselves.</Trans>
          )}
        </p>
        <button className="button primary" type="button" onClick={onClose}>
          <Trans>Close</Trans>
        </button>
      </Dialog>
    );
  }
  return (
    <Dialog title={t`Repeat the visit`} onClose={onClose}>
      <RuleForm wish={wish} isAsking={isAsking} onAsk={(rule, type) => void ask(rule, type)} />
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {wrong}
        </p>
      )}
      {found !== undefined && (
        <>
          <Dates dates={found.dates} zone={zone} picks={picks} onPick={setPicks} />
          <div className="row">
            <button
              className="button primary"
              type="button"
              disabled={count === 0}
              aria-disabled={isAsking}
              onClick={() => void book()}
            >
              {isAsking ? (
                <Trans>One moment …</Trans>
              ) : (
                <BookWords count={count} total={total} />
              )}
            </button>
            <button className="button" type="button" onClick={onClose}>
              <Trans>Close</Trans>
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}

function BookWords({ count, total }: { count: number; total: number }) {
  if (count === total) return <Plural value={count} one="Book # visit" other="Book all # visits" />;
  return (
    <Trans>
      Book {count} of {total} visits
    </Trans>
  );
}

/** Monday of some week, to name the days of. */
const MONDAY = "2026-08-10";
const DAYS = [0, 1, 2, 3, 4, 5, 6];

function RuleForm({ wish, isAsking, onAsk }: { wish: Wish; isAsking: boolean; onAsk: (rule: Rule, type: string) => void }) {
  const { t, i18n } = useLingui();
  const { provider, zone } = wish;
  const first = wish.start === undefined ? undefined : localOf(wish.start, zone);
  const [on, setOn] = useState<readonly number[]>([]);
  const dayName = (day: number) =>
    new Intl.DateTimeFormat(i18n.locale, { weekday: "short", timeZone: "UTC" }).format(
      new Date(`${addDays(MONDAY, day)}T12:00:00Z`),
    );
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const text = (name: string) => String(given.get(name) ?? "");
    const [every, unit] = text("every").split(" ");
    const rule: Rule = {
      unit: unit === "day" ? "day" : "week",
      every: Number(every),
      first: text("first"),
      time: text("time"),
      weekdays: unit === "day" ? [] : [...on],
      count: Number(text("count")),
      until: null,
    };
    onAsk(rule, text("type"));
  };
  return (
    <form className="stack" onSubmit={submit}>
      <div className="row">
        <div className="field">
          <label htmlFor="series-type">
            <Trans>Visit</Trans>
          </label>
          <select id="series-type" name="type" className="input" defaultValue={wish.type}>
            {provider.visit_types.map((one) => (
              <option key={one.visit_type} value={one.visit_type}>
                {one.title}
              </option>
            ))}
          </select>
        </div>
        <div className="field">
          <label htmlFor="series-every">
            <Trans>How often</Trans>
          </label>
          <select id="series-every" name="every" className="input" defaultValue="1 week">
            <option value="1 day">{t`every day`}</option>
            <option value="2 day">{t`every other day`}</option>
            <option value="1 week">{t`every week`}</option>
            <option value="2 week">{t`every other week`}</option>
            <option value="4 week">{t`every four weeks`}</option>
          </select>
        </div>
        <div className="field">
          <label htmlFor="series-count">
            <Trans>How many visits</Trans>
          </label>
          <input
            id="series-count"
            name="count"
            className="input"
            type="number"
            min={1}
            max={52}
            required
            defaultValue={6}
          />
        </div>
      </div>
      <div className="row">
        <div className="field">
          <label htmlFor="series-first">
            <Trans>From</Trans>
          </label>
          <input
            id="series-first"
            name="first"
            className="input"
            type="date"
            required
            defaultValue={first?.date ?? addDays(today(zone), 1)}
          />
        </div>
        <div className="field">
          <label htmlFor="series-time">
            <Trans>At</Trans>
          </label>
          <input
            id="series-time"
            name="time"
            className="input"
            type="time"
            required
            defaultValue={first?.time ?? "09:00"}
          />
        </div>
      </div>
      <fieldset>
        <legend>
          <Trans>On these days of the week (else on that of the first visit)</Trans>
        </legend>
        <div className="series-days">
          {DAYS.map((day) => (
            <label key={day} className="check">
              <input
                type="checkbox"
                checked={on.includes(day)}
                onChange={() => setOn(on.includes(day) ? on.filter((one) => one !== day) : [...on, day].sort())}
              />
              {dayName(day)}
            </label>
          ))}
        </div>
      </fieldset>
      <button className="button" type="submit" aria-disabled={isAsking}>
        <Trans>Show the dates</Trans>
      </button>
    </form>
  );
}

const LOOK: Record<PreviewDate["state"], string> = {
  free: "chip",
  taken: "chip warn",
  closed: "chip warn",
  beyond_horizon: "quiet small",
};

interface DatesProps {
  dates: readonly PreviewDate[];
  zone: string;
  picks: Picks;
  onPick: (picks: Picks) => void;
}

function Dates({ dates, zone, picks, onPick }: DatesProps) {
  const { t, i18n } = useLingui();
  const pick = (number: number, start: string | null) => {
    const next = new Map(picks);
    if (next.get(number) === start) next.delete(number);
    else next.set(number, start);
    onPick(next);
  };
  const heading = useRef<HTMLElement>(null);
  // The form above is long: what was asked for comes into view.
  useEffect(() => {
    // Without braces a browser that answers with a promise would give React a cleanup.
    heading.current?.scrollIntoView?.({ block: "start" });
  }, [dates]);
  const open = dates.filter((one) => (one.state === "taken" || one.state === "closed") && !picks.has(one.number));
  return (
    <section className="stack" aria-label={t`The dates`} ref={heading}>
      <p role="status">
        {open.length === 0 ? (
          <Trans>Look at the dates, then book them all.</Trans>
        ) : (
          <Plural
            value={open.length}
            one="# date cannot be had: choose another time for it, or it is left out."
            other="# dates cannot be had: choose other times for them, or they are left out."
          />
        )}
      </p>
      <ol className="series-dates">
        {dates.map((one) => (
          <li key={one.number} data-state={one.state}>
            <span className="row between">
              <bdi>{picks.has(one.number) ? <s>{sayVisit(one.start, zone)}</s> : sayVisit(one.start, zone)}</bdi>
              {picks.has(one.number) ? (
                <span className="chip">
                  <Trans>another time chosen</Trans>
                </span>
              ) : (
                <span className={LOOK[one.state]}>{i18n._(DATE_STATE[one.state])}</span>
              )}
            </span>
            {one.alternatives.length > 0 && (
              <span className="times" role="group" aria-label={t`Instead of ${sayVisit(one.start, zone)}`}>
                {one.alternatives.map((start) => (
                  <button
                    key={start}
                    className="button small"
                    type="button"
                    aria-pressed={picks.get(one.number) === start}
                    onClick={() => pick(one.number, start)}
                  >
                    {picks.get(one.number) === start && "✓ "}
                    <bdi>{sayVisit(start, zone)}</bdi>
                  </button>
                ))}
              </span>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
