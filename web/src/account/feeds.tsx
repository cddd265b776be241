import "./account.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { answered, api, type Schemas } from "../app/api";
import { refusalText } from "../app/refusals";
import { HERE, say } from "../app/time";
import { Dialog } from "../ui/dialog";
import { Gate } from "../ui/gate";
import { Icon } from "../ui/icons";
import { speakOut } from "../ui/spoken";
import { Field, Form, type Wrong } from "./form";

type Feed = Schemas["FeedAnswer"];
const DAY = { dateStyle: "medium" } as const;

/** Visits in a calendar program: addresses that it reads by itself, made and revoked here. */
export function FeedsPage() {
  return (
    <Gate>
      {({ role }) =>
        role === "patient" || role === "doctor" ? (
          <Feeds isDoctor={role === "doctor"} />
        ) : (
          <p className="notice" role="status">
            <Trans>Only patients and doctors have visits of their own.</Trans>
          </p>
        )
      }
    </Gate>
  );
}

function Feeds({ isDoctor }: { isDoctor: boolean }) {
  const { i18n } = useLingui();
  const queries = useQueryClient();
  const found = useQuery({
    queryKey: ["feeds"],
    queryFn: async () => answered(await api.GET("/v1/me/feeds")).items,
  });
  const [made, setMade] = useState<Schemas["NewFeedAnswer"]>();
  const [wrong, setWrong] = useState<Wrong>();
  const [isBusy, setBusy] = useState(false);
  const make = async (label: string) => {
    setBusy(true);
    // Without a key: what is kept under a key for a repetition would be the secret itself.
    const { data, error } = await api.POST("/v1/me/feeds", {
      body: label.trim() === "" ? {} : { label: label.trim() },
    });
    setBusy(false);
    if (data === undefined) return setWrong({ fields: {}, whole: refusalText(error?.code) });
    setWrong(undefined);
    setMade(data);
    await queries.invalidateQueries({ queryKey: ["feeds"] });
  };
  return (
    <div className="settings medium">
      <div>
        <h1>
          <Trans>My visits in a calendar program</Trans>
        </h1>
        <p className="quiet">
          <Trans>A calendar on your phone or computer shows your visits, and follows when one is moved or cancelled.</Trans>
        </p>
      </div>
      {made === undefined ? (
        <section className="card" aria-labelledby="make-feed">
          <h2 id="make-feed">
            <Trans>Make an address</Trans>
          </h2>
          <ul className="says">
            <li>
              <Trans>The address is a secret: a program that has it reads your visits without signing in. Give it to no one else.</Trans>
            </li>
            <li>
              {isDoctor ? (
                <Trans>It shows when your visits are. It names no patient and no reason.</Trans>
              ) : (
                <Trans>It shows when and at which clinic and doctor. It tells nothing medical.</Trans>
              )}
            </li>
            <li>
              <Trans>Make one for each device: then you can end one of them alone.</Trans>
            </li>
          </ul>
          <Form wrong={wrong} isBusy={isBusy} submit={<Trans>Make the address</Trans>} onSubmit={(values) => void make(values["label"] ?? "")}>
            <Field
              name="label"
              label={<Trans>Where you will use it</Trans>}
              hint={<Trans>For your list below, as "My phone".</Trans>}
              maxLength={100}
              autoComplete="off"
              wrong={wrong}
            />
          </Form>
        </section>
      ) : (
        <Made feed={made} onDone={() => setMade(undefined)} />
      )}
      <section className="card" aria-labelledby="feeds">
        <h2 id="feeds">
          <Trans>Your addresses</Trans>
        </h2>
        {found.isError && (
          <p className="notice bad" role="alert">
            {i18n._(refusalText("unavailable"))}
          </p>
        )}
        {found.data?.length === 0 && (
          <p className="quiet">
            <Trans>There is none yet.</Trans>
          </p>
        )}
        <ul className="plain-list" aria-busy={found.isPending}>
          {(found.data ?? []).map((one) => (
            <FeedRow key={one.feed_id} feed={one} />
          ))}
        </ul>
      </section>
    </div>
  );
}

/** The new address: the only time that it is shown. */
function Made({ feed, onDone }: { feed: Schemas["NewFeedAnswer"]; onDone: () => void }) {
  const { t } = useLingui();
  const [isCopied, setCopied] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(feed.url);
    } catch {
      // Not allowed, or no secure page: marked, so that it can be copied by hand.
      field.current?.select();
      return;
    }
    setCopied(true);
    speakOut(t`The address is copied.`);
  };
  return (
    <section className="card made" aria-labelledby="made-feed">
      <h2 id="made-feed" tabIndex={-1} ref={heading}>
        <Trans>The address is made</Trans>
      </h2>
      <p className="notice">
        <Trans>It is shown this once. If you lose it, remove it below and make another.</Trans>
      </p>
      <div className="field">
        <label htmlFor="feed-url">
          <Trans>Address</Trans>
        </label>
        <input
          id="feed-url"
          className="input"
          dir="ltr"
          readOnly
          ref={field}
          value={feed.url}
          onFocus={(event) => event.currentTarget.select()}
        />
      </div>
      <div className="row">
        <button className="button primary" type="button" onClick={() => void copy()}>
          {isCopied ? (
            <>
              <Icon name="check" /> <Trans>Copied</Trans>
            </>
          ) : (
            <Trans>Copy the address</Trans>
          )}
        </button>
        <a className="button" href={feed.webcal_url}>
          <Trans>Open in the calendar of this device</Trans>
        </a>
        <button className="button" type="button" onClick={onDone}>
          <Trans>Done</Trans>
        </button>
      </div>
      <details>
        <summary>
          <Trans>How to add it</Trans>
        </summary>
        <ul className="says">
          <li>
            <Trans>iPhone, iPad, Mac: the button above opens it in Calendar.</Trans>
          </li>
          <li>
            <Trans>Google Calendar, on a computer: "Other calendars", plus, "From URL", then paste the address.</Trans>
          </li>
          <li>
            <Trans>Outlook: "Add calendar", "Subscribe from web", then paste the address.</Trans>
          </li>
          <li>
            <Trans>Thunderbird: "New calendar", "On the network", then paste the address.</Trans>
          </li>
        </ul>
      </details>
    </section>
  );
}

function FeedRow({ feed }: { feed: Feed }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const { label, feed_id } = feed;
  const end = async () => {
    const { error } = await api.DELETE("/v1/me/feeds/{feed_id}", { params: { path: { feed_id } } });
    if (error !== undefined && error.code !== "feed_not_found") return setWrong(i18n._(refusalText(error.code)));
    setOpen(false);
    speakOut(t`The address works no longer.`);
    await queries.invalidateQueries({ queryKey: ["feeds"] });
  };
  return (
    <li className="session">
      <div>
        <strong>
          <bdi>{label}</bdi>
        </strong>
        <p className="quiet small">
          <Trans>
            Made <bdi>{say(feed.created_at, HERE, DAY)}</bdi>
          </Trans>
          {" · "}
          {feed.read_at === null ? (
            <Trans>not read by a program yet</Trans>
          ) : (
            <Trans>
              last read <bdi>{say(feed.read_at, HERE, { dateStyle: "medium", timeStyle: "short" })}</bdi>
            </Trans>
          )}
        </p>
      </div>
      <button className="button small" type="button" aria-haspopup="dialog" aria-label={t`Remove ${label} …`} onClick={() => setOpen(true)}>
        <Trans>Remove …</Trans>
      </button>
      {isOpen && (
        <Dialog title={t`Remove the address ${label}?`} onClose={() => setOpen(false)}>
          <p>
            <Trans>It stops working at once. The calendar program may go on showing what it read before: delete the calendar there too.</Trans>
          </p>
          {wrong !== undefined && (
            <p className="notice bad" role="alert">
              {wrong}
            </p>
          )}
          <div className="row">
            <button className="button danger" type="button" onClick={() => void end()}>
              <Trans>Remove</Trans>
            </button>
            <button className="button" type="button" onClick={() => setOpen(false)}>
              <Trans>Keep it</Trans>
            </button>
          </div>
        </Dialog>
      )}
    </li>
  );
}
