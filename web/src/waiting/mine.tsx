import "./waiting.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useRef, useState } from "react";
import { api } from "../app/api";
import { useSending } from "../app/keys";
import { HERE, say } from "../app/time";
import { enter } from "../i18n";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";
import { Instead, Place, Subject, WishBits } from "./entry";
import { waitingRefusal } from "./refusals";
import { DECLINES_MAX, useCanWait, useEntries, type Entry } from "./waiting";

export { Offers } from "./offer";

// Not shown before its sentences are here.
await enter("waiting");

const WishDialog = lazy(async () => ({ default: (await import("./wish")).WishDialog }));

/** Among one's visits: what one waits for. */
export function MyWaiting() {
  const { t } = useLingui();
  const found = useEntries();
  const queries = useQueryClient();
  const heading = useRef<HTMLHeadingElement>(null);
  const [leaving, setLeaving] = useState<Entry>();
  const [changing, setChanging] = useState<Entry>();
  if (useCanWait() !== true) return null;
  const again = () => void queries.invalidateQueries({ queryKey: ["waiting"] });
  return (
    <section className="stack wait-list" id="waiting-list" aria-labelledby="waits">
      <h2 id="waits" tabIndex={-1} ref={heading}>
        <Trans>Waiting list</Trans>
      </h2>
      {found.isPending && <div className="card" aria-busy="true" />}
      {found.isError && (
        <p className="notice bad" role="alert">
          <Trans>What you wait for could not be loaded.</Trans>{" "}
          <button className="button small" type="button" onClick={() => void found.refetch()}>
            <Trans>Try again</Trans>
          </button>
        </p>
      )}
      {found.data?.length === 0 && (
        <p className="quiet">
          <Trans>
            You wait for nothing. Where no time suits you, choose “Tell me when something frees”; beside a visit, “Earlier,
            please”.
          </Trans>
        </p>
      )}
      <ul className="plain-list waits">
        {found.data?.map((one) => (
          <Waiting key={one.entry_id} entry={one} onAgain={again} onChange={() => setChanging(one)} onLeave={() => setLeaving(one)} />
        ))}
      </ul>
      {changing !== undefined && (
        <Suspense fallback={null}>
          <WishDialog target={{}} entry={changing} onClose={() => setChanging(undefined)} />
        </Suspense>
      )}
      {leaving !== undefined && (
        <LeaveDialog
          entry={leaving}
          onClose={() => setLeaving(undefined)}
          onDone={() => {
            setLeaving(undefined);
            again();
            speakOut(t`You wait for this no longer.`);
            heading.current?.focus();
          }}
        />
      )}
    </section>
  );
}

interface WaitingProps {
  entry: Entry;
  onAgain: () => void;
  onChange: () => void;
  onLeave: () => void;
}

function Waiting({ entry, onAgain, onChange, onLeave }: WaitingProps) {
  const { t, i18n } = useLingui();
  const { isAsking: isBusy, send } = useSending();
  const [wrong, setWrong] = useState<string>();
  const { entry_id, paused, declines } = entry;
  const turn = async () => {
    const body = { paused: !paused };
    const answer = await send(body, () => api.PATCH("/v1/waiting/{entry_id}", { params: { path: { entry_id } }, body }));
    if (answer === undefined) return;
    const { error } = answer;
    setWrong(error && i18n._(waitingRefusal(error.code)));
    if (error === undefined) speakOut(paused ? t`You wait again, at your old place.` : t`Paused. You keep your place.`);
    onAgain();
  };
  const name = `waits-${entry_id}`;
  const labelled = (id: string) => ({ id: `${id}-${entry_id}`, "aria-labelledby": `${id}-${entry_id} ${name}` });
  return (
    <li className="card">
      <div className="row between">
        <h3 id={name}>
          <Subject entry={entry} />
        </h3>
        {paused ? (
          <span className="chip warn">
            <Trans>Paused</Trans>
          </span>
        ) : (
          <span className="chip">
            <Trans>
              Waiting since <bdi>{say(entry.since, HERE, { day: "numeric", month: "short" })}</bdi>
            </Trans>
          </span>
        )}
      </div>
      <Instead entry={entry} />
      <WishBits wishes={entry} />
      <p className="small">
        {!paused ? (
          <Place entry={entry} />
        ) : declines >= DECLINES_MAX ? (
          <Trans>You declined three offers, so nothing is offered now. Go on whenever you like: you keep your place.</Trans>
        ) : (
          <Trans>Nothing is offered while it is paused. You keep your place.</Trans>
        )}
      </p>
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {wrong}
        </p>
      )}
      <div className="row">
        <button className="button small" type="button" {...labelled("turn")} aria-disabled={isBusy} onClick={() => void turn()}>
          {paused ? <Trans>Go on</Trans> : <Trans>Pause</Trans>}
        </button>
        <button className="button small" type="button" {...labelled("change")} onClick={onChange}>
          <Trans>Change</Trans>
        </button>
        <button className="button small danger" type="button" {...labelled("leave")} onClick={onLeave}>
          <Trans>Stop waiting</Trans>
        </button>
      </div>
    </li>
  );
}

function LeaveDialog({ entry, onClose, onDone }: { entry: Entry; onClose: () => void; onDone: () => void }) {
  const { t, i18n } = useLingui();
  const { isAsking: isBusy, send } = useSending();
  const [wrong, setWrong] = useState<string>();
  const leave = async () => {
    const path = { entry_id: entry.entry_id };
    const answer = await send(path, () => api.DELETE("/v1/waiting/{entry_id}", { params: { path } }));
    if (answer === undefined) return;
    // One that is gone already is what was wanted.
    if (answer.error === undefined || answer.error.code === "waiting_not_found") return onDone();
    setWrong(i18n._(waitingRefusal(answer.error.code)));
  };
  return (
    <Dialog title={t`Stop waiting?`} onClose={onClose}>
      <p>
        <strong>
          <Subject entry={entry} />
        </strong>
      </p>
      <p>
        <Trans>You give up your place. A visit that is booked stays as it is.</Trans>
      </p>
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {wrong}
        </p>
      )}
      <div className="row">
        <button className="button danger" type="button" aria-disabled={isBusy} onClick={() => void leave()}>
          <Trans>Stop waiting</Trans>
        </button>
        <button className="button" type="button" onClick={onClose}>
          <Trans>Keep waiting</Trans>
        </button>
      </div>
    </Dialog>
  );
}
