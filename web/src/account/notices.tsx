import "./account.css";
import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { answered, api, type Schemas } from "../app/api";
import { linkToken } from "../app/links";
import { useFollow } from "../app/shell";
import { HERE, say } from "../app/time";
import { LOCALES } from "../i18n";
import { Icon } from "../ui/icons";
import { Gate } from "../ui/gate";
import { speakOut } from "../ui/spoken";
import { wrongOf, type Wrong } from "./form";
import { useInbox } from "./inbox";
import { PushSwitch } from "./push";

type Kind = Schemas["NoticeKind"];
type Channel = Schemas["Channel"];
type Choices = Schemas["PreferencesAnswer"];

const KINDS: Record<Kind, MessageDescriptor> = {
  booked: msg`A visit was booked`,
  rescheduled: msg`A visit was moved`,
  cancelled: msg`A visit was cancelled`,
  reminder: msg`Reminder of a visit`,
  stranded: msg`The practice is not available any more`,
  covered: msg`The practice is available again`,
  offer: msg`A time you wait for is free`,
  first_come: msg`A time is free at short notice`,
  unresolved: msg`Another time is to be chosen`,
  unplaced: msg`A visit of a series could not be booked`,
};
const CHANNELS: Record<Channel, MessageDescriptor> = { mail: msg`E-mail`, sms: msg`Text message`, push: msg`On my devices` };
const WHEN = { dateStyle: "full", timeStyle: "short" } as const;

/** What one was told, and what one wants to be told. */
export function NoticesPage() {
  return (
    <Gate>
      <div className="settings medium">
        <h1>
          <Trans>Notices</Trans>
        </h1>
        <Inbox />
        <Preferences />
      </div>
    </Gate>
  );
}

function Inbox() {
  const { i18n } = useLingui();
  const follow = useFollow();
  const queries = useQueryClient();
  const found = useQuery({
    queryKey: ["notices"],
    queryFn: async () => answered(await api.GET("/v1/notices")),
  });
  const inbox = useInbox();
  const known = found.data;
  const isBehind =
    known !== undefined &&
    inbox !== undefined &&
    (inbox.unread !== known.unread ||
      inbox.notices?.some(({ notice_id, read_at }) =>
        known.items.every((one) => one.notice_id !== notice_id || one.read_at !== read_at),
      ) === true);
  useEffect(() => {
    if (isBehind) void queries.invalidateQueries({ queryKey: ["notices"] });
  }, [isBehind, inbox, queries]);
  const read = async (notice_id: string) => {
    await api.POST("/v1/notices/{notice_id}/read", { params: { path: { notice_id } } });
    await queries.invalidateQueries({ queryKey: ["notices"] });
  };
  return (
    <section className="card stack" aria-labelledby="inbox">
      <h2 id="inbox">
        <Trans>Inbox</Trans>
      </h2>
      {found.data?.items.length === 0 && (
        <p className="quiet">
          <Trans>Nothing yet. What happens to your visits appears here.</Trans>
        </p>
      )}
      <ul className="plain-list">
        {(found.data?.items ?? []).map((one) => (
          <li key={one.notice_id} className="session">
            <div>
              <strong>{i18n._(KINDS[one.kind])}</strong>
              {one.read_at === null && (
                <>
                  {" "}
                  <span className="badge">
                    <Trans>New</Trans>
                  </span>
                </>
              )}
              <p>
                <bdi>{say(one.start, one.time_zone, WHEN)}</bdi>
                {" · "}
                <bdi>{one.provider}</bdi>
                {" · "}
                <bdi>{one.clinic}</bdi>
              </p>
              {one.was_start !== null && (
                <p className="quiet small">
                  <Trans>
                    Before: <bdi>{say(one.was_start, one.time_zone, WHEN)}</bdi>
                  </Trans>
                </p>
              )}
              <p className="quiet small">
                <bdi>{say(one.created_at, HERE, { dateStyle: "medium", timeStyle: "short" })}</bdi>
              </p>
            </div>
            {one.kind === "offer" && (
              <a className="button small" href="/me/offer" onClick={follow}>
                <Trans>See the offer</Trans>
              </a>
            )}
            {one.read_at === null && (
              <button className="button small" type="button" onClick={() => void read(one.notice_id)}>
                <Trans>Mark as read</Trans>
              </button>
            )}
          </li>
        ))}
      </ul>
      <div>
        <a className="button small" href="/me/visits" onClick={follow}>
          <Trans>See my visits</Trans>
        </a>
      </div>
    </section>
  );
}

function Preferences() {
  const { i18n, t } = useLingui();
  const queries = useQueryClient();
  const found = useQuery({
    queryKey: ["preferences"],
    queryFn: async () => answered(await api.GET("/v1/preferences")),
  });
  const [wrong, setWrong] = useState<Wrong>();
  // Shown at once, before the server has it: a box that waits for an answer feels broken.
  const [ahead, setAhead] = useState<Choices>();
  const chosen = ahead ?? found.data;
  const save = async (change: Partial<Choices>) => {
    if (chosen === undefined) return;
    const next = { ...chosen, ...change };
    setAhead(next);
    // Without a version the last choice wins: two clicks in a row are no conflict.
    const { data, error } = await api.PUT("/v1/preferences", { body: { ...next, version: null } });
    if (error !== undefined) {
      setWrong(wrongOf(error.code, error));
      setAhead(undefined);
      await queries.invalidateQueries({ queryKey: ["preferences"] });
      return;
    }
    setWrong(undefined);
    queries.setQueryData(["preferences"], data);
    speakOut(t`Saved.`);
  };
  if (chosen === undefined) return <section className="card page-room" aria-busy="true" />;
  const choose = (kind: Kind, channel: Channel, wanted: boolean) =>
    void save({ channels: { ...chosen.channels, [kind]: { ...chosen.channels[kind], [channel]: wanted } } });
  return (
    <section className="card stack" aria-labelledby="choices">
      <h2 id="choices">
        <Trans>What you hear of</Trans>
      </h2>
      <PushSwitch />
      {wrong?.whole !== undefined && (
        <p className="notice bad" role="alert">
          {i18n._(wrong.whole)}
        </p>
      )}
      {(Object.keys(KINDS) as Kind[]).map((kind) => (
        <fieldset key={kind} className="row">
          <legend>{i18n._(KINDS[kind])}</legend>
          {(Object.keys(CHANNELS) as Channel[]).map((channel) => (
            <label key={channel} className="check">
              <input
                type="checkbox"
                checked={chosen.channels[kind]?.[channel] ?? false}
                onChange={(event) => choose(kind, channel, event.target.checked)}
              />{" "}
              {i18n._(CHANNELS[channel])}
            </label>
          ))}
        </fieldset>
      ))}
      <fieldset className="row">
        <legend>
          <Trans>No text messages between</Trans>
        </legend>
        {(["begins", "ends"] as const).map((end) => (
          <input
            key={end}
            type="time"
            className="input"
            required
            aria-label={end === "begins" ? t`From` : t`Until`}
            defaultValue={chosen.quiet[end]}
            onBlur={(event) => {
              const { value } = event.target;
              if (value !== "" && value !== chosen.quiet[end]) void save({ quiet: { ...chosen.quiet, [end]: value } });
            }}
          />
        ))}
      </fieldset>
      <div className="field">
        <label htmlFor="notice-language">
          <Trans>Language of messages</Trans>
        </label>
        <select
          id="notice-language"
          className="input"
          value={chosen.language}
          onChange={(event) => void save({ language: event.target.value })}
        >
          <option value="">{t`As in my profile`}</option>
          {Object.entries(LOCALES).map(([locale, name]) => (
            <option key={locale} value={locale} lang={locale}>
              {name}
            </option>
          ))}
        </select>
      </div>
    </section>
  );
}

/** The link of a mail that stops more of its kind: it is shown first, and acts when told to. */
export function UnsubscribePage() {
  const { i18n } = useLingui();
  const secret = linkToken() ?? "-";
  const [isStopped, setStopped] = useState(false);
  const found = useQuery({
    queryKey: ["unsubscribe", secret],
    retry: false,
    queryFn: async () => answered(await api.GET("/v1/unsubscribe/{secret}", { params: { path: { secret } } })),
  });
  const stop = async () => {
    const { data } = await api.POST("/v1/unsubscribe/{secret}", { params: { path: { secret } } });
    setStopped(data !== undefined);
  };
  const about = found.data;
  const isOff = isStopped || about?.wanted === false;
  return (
    <div className="narrow stack card signing">
      <h1>
        <Trans>Stop messages</Trans>
      </h1>
      {found.isError && (
        <p className="notice bad" role="alert">
          <Trans>This link does not work. Sign in to choose what you hear of.</Trans>
        </p>
      )}
      {about !== undefined && (
        <p>
          <strong>{i18n._(KINDS[about.kind])}</strong> · {i18n._(CHANNELS[about.channel])}
        </p>
      )}
      {isOff && (
        <p className="notice good" role="status">
          <Icon name="check" />
          <Trans>These messages are stopped. Your inbox here goes on.</Trans>
        </p>
      )}
      {about !== undefined && !isOff && (
        <button className="button primary" type="button" onClick={() => void stop()}>
          <Trans>Stop these messages</Trans>
        </button>
      )}
    </div>
  );
}
