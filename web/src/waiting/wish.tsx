import { Trans, useLingui } from "@lingui/react/macro";
import { useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent, type ReactNode } from "react";
import { api, type Provider } from "../app/api";
import { useSending } from "../app/keys";
import { useFollow } from "../app/shell";
import { localOf, say } from "../app/time";
import type { Booking } from "../live/frames";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";
import { Place, Subject } from "./entry";
import { waitingRefusal } from "./refusals";
import { amount, DAY_MINUTES, dayName, useEntries, useProvider, wall, zoneOf, type Entry, type Wishes } from "./waiting";

/** What may be waited for: a provider, or one's visit with them that is to be earlier, or a specialty. */
export interface Target {
  provider?: Provider;
  specialty?: string;
  visit?: Booking;
  visitType?: string;
}

interface Props {
  target: Target;
  /** What is changed; undefined for a new entry. */
  entry?: Entry;
  onClose: () => void;
}

type Scope = Entry["scope"];
type Part = "any" | "morning" | "afternoon" | "evening" | "own";

const PARTS: Record<Exclude<Part, "own">, readonly [number, number]> = {
  any: [0, DAY_MINUTES],
  morning: [0, 720],
  afternoon: [720, 1_020],
  evening: [1_020, DAY_MINUTES],
};
/** Visits nearer than the first are not reserved for the list. */
const NOTICES = [120, 360, 1_440, 2_880, 10_080];
const DAYS = [1, 2, 3, 4, 5, 6, 7];

function partOf({ opens, closes }: Wishes): Part {
  const found = Object.entries(PARTS).find(([, [from, to]]) => from === opens && to === closes);
  return (found?.[0] as Part | undefined) ?? "own";
}

const minutesOf = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));

/** The subject that a scope has, of what a target names. */
function subjectOf(scope: Scope, { provider, specialty }: Target): string | undefined {
  if (scope === "provider") return provider?.provider_id;
  return scope === "clinic" ? provider?.clinic.clinic_id : (provider?.specialty ?? specialty);
}

/** Asks for what a person waits; the entry is on the list when it closes, or says why it is not. */
export function WishDialog({ target, entry, onClose }: Props) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const entries = useEntries();
  const [scope, setScope] = useState<Scope>(entry?.scope ?? (target.provider === undefined ? "specialty" : "provider"));
  const [part, setPart] = useState<Part>(entry === undefined ? "any" : partOf(entry));
  const { isAsking, send: ask } = useSending();
  const [wrong, setWrong] = useState<string>();
  const [joined, setJoined] = useState<Entry>();
  const { provider, visit } = target;
  const subject = entry?.subject ?? subjectOf(scope, target);
  const twin =
    entry === undefined && joined === undefined
      ? entries.data?.find(
          (one) => one.scope === scope && one.subject === subject && one.booking_id === (visit?.booking_id ?? null),
        )
      : undefined;
  const send = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (subject === undefined) return;
    const form = new FormData(event.currentTarget);
    const wishes = wishesIn(form, part);
    if (wishes === undefined) return setWrong(t`Choose from when to when, the end after the beginning.`);
    setWrong(undefined);
    const body = { ...wishes, scope, subject, ...(visit === undefined ? {} : { booking_id: visit.booking_id }) };
    const answer = await ask(body, async (key) => {
      const header = { "Idempotency-Key": key };
      if (entry === undefined) return await api.POST("/v1/waiting", { params: { header }, body });
      const path = { entry_id: entry.entry_id };
      return await api.PUT("/v1/waiting/{entry_id}", { params: { path, header }, body: wishes });
    });
    if (answer === undefined) return;
    if (answer.error !== undefined) return setWrong(i18n._(waitingRefusal(answer.error.code)));
    void queries.invalidateQueries({ queryKey: ["waiting"] });
    if (entry === undefined) return setJoined(answer.data as Entry);
    speakOut(t`Changed. You keep your place.`);
    onClose();
  };
  if (joined !== undefined) return <Joined entry={joined} onClose={onClose} />;
  const title =
    entry !== undefined ? t`Change what you wait for` : visit !== undefined ? t`An earlier time` : t`Tell me when something frees`;
  return (
    <Dialog title={title} onClose={onClose}>
      <form className="stack wish" onSubmit={(event) => void send(event)} noValidate>
        {visit !== undefined && provider !== undefined ? (
          <p>
            <Trans>
              Your visit on{" "}
              <bdi>
                {say(visit.start, zoneOf(provider), { weekday: "long", day: "numeric", month: "long" })},{" "}
                {localOf(visit.start, zoneOf(provider)).time}
              </bdi>{" "}
              stays booked. When an earlier time frees, you choose whether it moves there.
            </Trans>
          </p>
        ) : (
          <p className="quiet">
            <Trans>When a visit is cancelled, its time is kept for the first on the list whom it suits, and you are told.</Trans>
          </p>
        )}
        {twin !== undefined && (
          <p className="notice" role="status">
            <Trans>You wait for this already. You can change that under My visits; another entry brings no better place.</Trans>
          </p>
        )}
        {entry !== undefined ? (
          <p>
            <strong>
              <Subject entry={entry} />
            </strong>
          </p>
        ) : (
          provider !== undefined && <Scopes provider={provider} scope={scope} onScope={setScope} />
        )}
        {scope === "provider" && visit === undefined && entry?.booking_id == null && (
          <VisitTypes id={subject} first={entry?.visit_type ?? target.visitType ?? ""} />
        )}
        {visit !== undefined && (
          <input type="hidden" name="visit_type" value={scope === "provider" ? visit.visit_type : ""} />
        )}
        {entry?.booking_id != null && <input type="hidden" name="visit_type" value={entry.visit_type} />}
        <fieldset>
          <legend>
            <Trans>Days (none: any day)</Trans>
          </legend>
          <div className="picks">
            {DAYS.map((day) => (
              <label key={day}>
                <input
                  type="checkbox"
                  name="day"
                  value={day}
                  aria-label={dayName(day, "long")}
                  defaultChecked={entry?.days.includes(day) === true}
                />
                <span aria-hidden="true">{dayName(day)}</span>
              </label>
            ))}
          </div>
        </fieldset>
        <Times part={part} onPart={setPart} entry={entry} />
        <div className="pair">
          <div className="field">
            <label htmlFor="wish-notice">
              <Trans>How long before do you need to know?</Trans>
            </label>
            <select id="wish-notice" name="notice" className="input" defaultValue={entry?.notice ?? NOTICES[0]}>
              {[...new Set([...NOTICES, entry?.notice ?? 120])].sort((a, b) => a - b).map((one) => (
                <option key={one} value={one}>
                  {amount(one)}
                </option>
              ))}
            </select>
          </div>
          {visit === undefined && entry?.booking_id == null && (
            <div className="field">
              <label htmlFor="wish-last">
                <Trans>Last day (optional)</Trans>
              </label>
              <input id="wish-last" name="last_day" type="date" className="input" defaultValue={entry?.last_day ?? ""} />
            </div>
          )}
        </div>
        {wrong !== undefined && (
          <p className="notice bad" role="alert">
            {wrong}
          </p>
        )}
        <div className="row">
          <button className="button primary" type="submit" aria-disabled={isAsking}>
            {isAsking ? <Trans>One moment …</Trans> : entry === undefined ? <Trans>Put me on the list</Trans> : <Trans>Save</Trans>}
          </button>
          <button className="button" type="button" onClick={onClose}>
            <Trans>Close</Trans>
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** What the form says; undefined if its times make no sense. */
function wishesIn(form: FormData, part: Part): Wishes | undefined {
  const text = (name: string) => String(form.get(name) ?? "");
  const own = (): readonly [number, number] => [minutesOf(text("opens")), minutesOf(text("closes")) || DAY_MINUTES];
  const [opens, closes] = part === "own" ? own() : PARTS[part];
  if (!(opens < closes)) return undefined;
  return {
    visit_type: text("visit_type"),
    days: form.getAll("day").map(Number),
    opens,
    closes,
    last_day: text("last_day"),
    notice: Number(text("notice")),
  };
}

function Scopes(props: { provider: Provider; scope: Scope; onScope: (scope: Scope) => void }) {
  const { provider, scope, onScope } = props;
  const choices: readonly [Scope, ReactNode][] = [
    ["provider", <bdi key="p">{provider.name}</bdi>],
    [
      "clinic",
      <Trans key="c">
        Any doctor of <bdi>{provider.clinic.name}</bdi>
      </Trans>,
    ],
    [
      "specialty",
      <Trans key="s">
        Any doctor for <bdi>{provider.specialty}</bdi>, wherever they are
      </Trans>,
    ],
  ];
  return (
    <fieldset className="stack tight">
      <legend>
        <Trans>With whom?</Trans>
      </legend>
      {choices.map(([one, words]) => (
        <label key={one} className="check">
          <input type="radio" name="scope" value={one} checked={scope === one} onChange={() => onScope(one)} />
          <span>{words}</span>
        </label>
      ))}
    </fieldset>
  );
}

function VisitTypes({ id, first }: { id: string | undefined; first: string }) {
  const { t } = useLingui();
  const types = useProvider(id)?.visit_types ?? [];
  // The choice stands once the names are here: a select without its option would lose it.
  if (types.length === 0) return <input type="hidden" name="visit_type" value={first} />;
  return (
    <div className="field">
      <label htmlFor="wish-type">
        <Trans>Visit</Trans>
      </label>
      <select id="wish-type" name="visit_type" className="input" defaultValue={first}>
        <option value="">{t`Any kind of visit`}</option>
        {types.map((one) => (
          <option key={one.visit_type} value={one.visit_type}>
            {one.title}
          </option>
        ))}
      </select>
    </div>
  );
}

function Times(props: { part: Part; onPart: (part: Part) => void; entry: Entry | undefined }) {
  const { part, onPart, entry } = props;
  const names: Record<Part, ReactNode> = {
    any: <Trans>Any time</Trans>,
    morning: <Trans>Morning</Trans>,
    afternoon: <Trans>Afternoon</Trans>,
    evening: <Trans>Evening</Trans>,
    own: <Trans>From … to …</Trans>,
  };
  return (
    <fieldset>
      <legend>
        <Trans>Time of day</Trans>
      </legend>
      <div className="picks">
        {(Object.keys(names) as Part[]).map((one) => (
          <label key={one}>
            <input type="radio" name="part" value={one} checked={part === one} onChange={() => onPart(one)} />
            <span>{names[one]}</span>
          </label>
        ))}
      </div>
      {part === "own" && (
        <div className="own">
          <div className="field">
            <label htmlFor="wish-opens">
              <Trans>Not before</Trans>
            </label>
            <input
              id="wish-opens"
              name="opens"
              type="time"
              className="input"
              defaultValue={wall(entry === undefined ? 480 : entry.opens)}
            />
          </div>
          <div className="field">
            <label htmlFor="wish-closes">
              <Trans>Over by</Trans>
            </label>
            <input
              id="wish-closes"
              name="closes"
              type="time"
              className="input"
              defaultValue={wall((entry?.closes ?? 720) % DAY_MINUTES)}
            />
          </div>
        </div>
      )}
    </fieldset>
  );
}

function Joined({ entry, onClose }: { entry: Entry; onClose: () => void }) {
  const { t } = useLingui();
  const follow = useFollow();
  return (
    <Dialog title={t`You are on the list`} onClose={onClose}>
      <div className="stack">
        <p>
          <Place entry={entry} />
        </p>
        <p>
          <Trans>
            An offer is kept for you for half an hour, in the night until the morning. You see it here at once, and by the
            messages that you have chosen.
          </Trans>
        </p>
        <div className="row">
          <button className="button primary" type="button" onClick={onClose}>
            <Trans>Good</Trans>
          </button>
          <a className="button" href="/me/visits#waiting-list" onClick={follow}>
            <Trans>See my list</Trans>
          </a>
        </div>
      </div>
    </Dialog>
  );
}
