import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api, Refused, type Provider, type Schemas } from "../app/api";
import { useSending } from "../app/keys";
import { refusalText } from "../app/refusals";
import { useFollow } from "../app/shell";
import { localOf, say, sayStart } from "../app/time";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { speakOut } from "../ui/spoken";
import { PatientName } from "./names";
import { spanOf, zoneOf } from "./visit";

type Queue = Schemas["LeaveQueueAnswer"];
type Visit = Schemas["LeaveVisitAnswer"];
type Time = Schemas["EquivalentAnswer"];
type Progress = Schemas["LeaveProgressAnswer"];
type Settled = { data?: Queue | undefined; error?: { code?: string } | undefined };

/** Patients choose while the page is open. */
const EVERY_MS = 10_000;
/** While messages are being written. */
const SOON_MS = 2_000;

const REFUSED: Record<string, MessageDescriptor> = {
  already_settled: msg`The patient, or a colleague, was a moment faster. You see what was chosen.`,
  slot_unavailable: msg`This time has just been taken. Others are proposed now.`,
  slot_not_offered: msg`This time is no longer proposed. Choose another, or ask the patient.`,
};

const TOLD: Record<Schemas["ToldState"], MessageDescriptor> = {
  none: msg`No message: call the patient`,
  pending: msg`Message is being sent`,
  queued: msg`Message waits to be sent`,
  sent: msg`Message sent`,
  delivered: msg`Message delivered`,
  failed: msg`Message did not arrive: call the patient`,
  superseded: msg`Message not sent any more`,
};

const OUTCOMES: Record<Schemas["VisitOutcome"], MessageDescriptor> = {
  moved: msg`Moved`,
  cancelled: msg`Cancelled`,
  kept: msg`Takes place all the same`,
  withdrawn: msg`Takes place: the leave was given back`,
  past: msg`Its time is over`,
};

const THROUGH: Record<Schemas["Chooser"], MessageDescriptor> = {
  patient: msg`by the patient`,
  link: msg`by the link of the message`,
  staff: msg`by the practice`,
  elsewhere: msg`outside this list`,
};

/** How far each leave with affected visits is. */
export function useLeaves(provider: Provider) {
  return useQuery({
    queryKey: ["leaves", provider.provider_id],
    refetchInterval: EVERY_MS,
    queryFn: async () => {
      const params = { path: { provider_id: provider.provider_id } };
      return answered(await api.GET("/v1/providers/{provider_id}/leaves", { params })).items;
    },
  });
}

/** In the list of leaves: n of m visits are resolved, and the way to them. */
export function QueueWay({ provider, leave }: { provider: Provider; leave: string }) {
  const follow = useFollow();
  const one = useLeaves(provider).data?.find(({ time_off_id: id }) => id === leave);
  if (one === undefined) return null;
  return (
    <a className="button small" href={`/desk/leave/${provider.provider_id}?queue=${leave}`} onClick={follow}>
      <Icon name={one.closed ? "check" : "visits"} />
      <span>
        <Said one={one} />
      </span>
    </a>
  );
}

function Said({ one }: { one: Progress }) {
  const { resolved, total } = one;
  if (one.closed) return <Plural value={total} one="The visit is resolved" other="All # visits are resolved" />;
  return (
    <Trans>
      {resolved} of {total} visits are resolved
    </Trans>
  );
}

/** Leaves that were given back, and are not in the list any more, with open visits or not. */
export function GivenBack({ provider }: { provider: Provider }) {
  const zone = zoneOf(provider);
  const gone = (useLeaves(provider).data ?? []).filter((one) => one.withdrawn_at !== null);
  if (gone.length === 0) return null;
  return (
    <details>
      <summary>
        <Trans>Leave that was given back</Trans>
      </summary>
      <ul className="plain-list stack">
        {gone.map((one) => (
          <li key={one.time_off_id} className="card row between">
            <bdi>
              {spanOf(one, zone)}
            </bdi>
            <QueueWay provider={provider} leave={one.time_off_id} />
          </li>
        ))}
      </ul>
    </details>
  );
}

const DATE = { day: "numeric", month: "short", year: "numeric" } as const;

/** The visits that a leave affects, until each is resolved. */
export function LeaveQueue({ provider, leave }: { provider: Provider; leave: string }) {
  const { i18n } = useLingui();
  const follow = useFollow();
  const queries = useQueryClient();
  const [refused, setRefused] = useState<string>();
  const queryKey = ["leaves", provider.provider_id, leave];
  const path = { provider_id: provider.provider_id, time_off_id: leave };
  const found = useQuery({
    queryKey,
    retry: false,
    refetchInterval: ({ state }) =>
      state.data?.visits.some((one) => one.told === "pending" && one.state !== "resolved") ? SOON_MS : EVERY_MS,
    queryFn: async () =>
      answered(await api.GET("/v1/providers/{provider_id}/leaves/{time_off_id}/visits", { params: { path } })),
  });
  const took = (answer: Settled, said: MessageDescriptor) => {
    if (answer.data !== undefined) {
      queries.setQueryData(queryKey, answer.data);
      setRefused(undefined);
      speakOut(i18n._(said));
    } else {
      setRefused(answer.error?.code ?? "");
      void queries.invalidateQueries({ queryKey });
    }
  };
  const back = (
    <a className="button small" href={`/desk/leave/${provider.provider_id}`} onClick={follow}>
      <Icon name="back" />
      <Trans>All leave</Trans>
    </a>
  );
  const again = (
    <button className="button small" type="button" onClick={() => void found.refetch()}>
      <Trans>Try again</Trans>
    </button>
  );
  if (found.data === undefined && found.isError) {
    const code = found.error instanceof Refused ? found.error.code : undefined;
    return (
      <div className="stack medium">
        <div>{back}</div>
        <p className="notice row between" role="alert">
          {code?.endsWith("not_found") ? (
            <Trans>This leave is not here any more, and affected no visit.</Trans>
          ) : (
            <>
              {i18n._(refusalText(code))} {again}
            </>
          )}
        </p>
      </div>
    );
  }
  if (found.data === undefined) return <div className="card page-room" aria-busy="true" />;
  const queue = found.data;
  const open = queue.visits.filter((one) => one.state !== "resolved");
  const late = open.filter((one) => one.overdue || isLost(one));
  const waits = open.filter((one) => !late.includes(one));
  const done = queue.visits.filter((one) => one.state === "resolved");
  const row = (one: Visit) => <Row key={one.booking_id} visit={one} path={path} zone={queue.time_zone} onTook={took} />;
  return (
    <div className="stack medium">
      <div>{back}</div>
      <Head queue={queue} />
      {found.isError && (
        <p className="notice row between" role="status">
          <Trans>We were not reached just now. This is how the list was last known.</Trans> {again}
        </p>
      )}
      {refused !== undefined && (
        <p className="notice bad" role="alert">
          {i18n._(REFUSED[refused] ?? refusalText(refused))}
        </p>
      )}
      {late.length > 0 && (
        <section className="stack" aria-labelledby="late">
          <h2 id="late">
            <Trans>Call these patients</Trans>
          </h2>
          <ul className="plain-list stack">{late.map(row)}</ul>
        </section>
      )}
      {waits.length > 0 && (
        <section className="stack" aria-labelledby="waits">
          <h2 id="waits">
            <Trans>Not chosen yet</Trans>
          </h2>
          <ul className="plain-list stack">{waits.map(row)}</ul>
        </section>
      )}
      {done.length > 0 && (
        <section className="stack" aria-labelledby="done">
          <h2 id="done">
            <Trans>Resolved</Trans>
          </h2>
          <ul className="plain-list stack">{done.map(row)}</ul>
        </section>
      )}
    </div>
  );
}

function Head({ queue }: { queue: Queue }) {
  const { t } = useLingui();
  const { time_zone: zone, resolved, total } = queue;
  return (
    <div className="card stack">
      <h1>
        <Trans>Visits during the leave</Trans>
      </h1>
      <p>
        <bdi>
          {spanOf(queue, zone)}
        </bdi>
      </p>
      {queue.withdrawn_at !== null && (
        <p className="notice">
          <Trans>
            The leave was given back on <bdi>{say(queue.withdrawn_at, zone, DATE)}</bdi>. What was open was withdrawn,
            and these patients hear that their visits take place.
          </Trans>
        </p>
      )}
      <progress value={resolved} max={Math.max(total, 1)} aria-label={t`Visits that are resolved`} />
      <p role="status">
        <strong>
          <Said one={queue} />
        </strong>
      </p>
      {!queue.closed && (
        <p className="quiet">
          <Trans>
            Each patient is told, and chooses by the message or in the app. You may choose for them, cancel or keep the
            visit.
          </Trans>
        </p>
      )}
    </div>
  );
}

interface RowProps {
  visit: Visit;
  path: { provider_id: string; time_off_id: string };
  zone: string;
  onTook: (answer: Settled, said: MessageDescriptor) => void;
}

function Row({ visit, path, zone, onTook }: RowProps) {
  const { i18n } = useLingui();
  const { isAsking: isBusy, send } = useSending();
  const [asking, setAsking] = useState<"cancel" | "keep">();
  const where = (key: string) => ({
    path: { ...path, booking_id: visit.booking_id },
    header: { "Idempotency-Key": key },
  });
  const choose = async ({ provider_id, start }: Time) => {
    const body = { provider_id, start };
    const answer = await send(body, (key) =>
      api.POST("/v1/providers/{provider_id}/leaves/{time_off_id}/visits/{booking_id}/choose", {
        params: where(key),
        body,
      }),
    );
    if (answer !== undefined) onTook(answer, msg`The visit was moved.`);
  };
  const settle = async (how: "cancel" | "keep") => {
    setAsking(undefined);
    const answer = await send({ how }, (key) =>
      how === "cancel"
        ? api.POST("/v1/providers/{provider_id}/leaves/{time_off_id}/visits/{booking_id}/cancel", {
            params: where(key),
          })
        : api.POST("/v1/providers/{provider_id}/leaves/{time_off_id}/visits/{booking_id}/keep", {
            params: where(key),
          }),
    );
    if (answer !== undefined) {
      onTook(answer, how === "cancel" ? msg`The visit was cancelled.` : msg`The visit takes place.`);
    }
  };
  const isDone = visit.state === "resolved";
  const name = visit.patient_name || <PatientName id={visit.patient_id} />;
  return (
    <li className="card stack leaverow" data-state={visit.state}>
      <div className="row between">
        <div>
          <strong>
            <bdi>{name}</bdi>
          </strong>
          <p>
            <bdi>{isDone && visit.outcome !== "kept" && visit.outcome !== "withdrawn" ? <s>{sayStart(visit.start, zone)}</s> : sayStart(visit.start, zone)}</bdi>
          </p>
        </div>
        {isDone ? <Result visit={visit} /> : <Told visit={visit} zone={zone} />}
      </div>
      {visit.state === "chosen" && (
        <p className="notice" role="status">
          <Trans>Was chosen, and is being carried out…</Trans>
        </p>
      )}
      {!isDone && visit.state !== "chosen" && (
        <>
          {visit.equivalents.length === 0 && (
            <p className="notice">
              <Trans>There is no time like it just now. Find one with the patient.</Trans>
            </p>
          )}
          <ul className="plain-list stack tight">
            {visit.equivalents.map((time) => (
              <li key={`${time.provider_id} ${time.start}`} className="row between equivalent">
                <span>
                  <bdi>
                    {say(time.start, time.time_zone, { weekday: "short", day: "numeric", month: "short" })},{" "}
                    {localOf(time.start, time.time_zone).time}
                  </bdi>
                  {" · "}
                  <bdi>{time.provider}</bdi>
                  {!time.same_clinic && (
                    <>
                      {" · "}
                      <bdi>{time.clinic}</bdi>
                    </>
                  )}
                </span>
                {time.same_clinic ? (
                  <button className="button small" type="button" aria-disabled={isBusy} onClick={() => void choose(time)}>
                    <Trans>Choose for the patient</Trans>
                  </button>
                ) : (
                  <span className="quiet small">
                    <Trans>only the patient can choose it</Trans>
                  </span>
                )}
              </li>
            ))}
          </ul>
          <div className="row">
            <button className="button small" type="button" aria-disabled={isBusy} onClick={() => setAsking("keep")}>
              <Trans>Takes place all the same</Trans>
            </button>
            <button className="button small danger" type="button" aria-disabled={isBusy} onClick={() => setAsking("cancel")}>
              <Trans>Cancel the visit</Trans>
            </button>
          </div>
        </>
      )}
      {asking !== undefined && (
        <Sure
          how={asking}
          what={
            <>
              <bdi>{name}</bdi>, <bdi>{sayStart(visit.start, zone)}</bdi>
            </>
          }
          yes={i18n._(asking === "cancel" ? msg`Cancel the visit` : msg`It takes place`)}
          onYes={() => void settle(asking)}
          onClose={() => setAsking(undefined)}
        />
      )}
    </li>
  );
}

interface SureProps {
  how: "cancel" | "keep";
  what: React.ReactNode;
  yes: string;
  onYes: () => void;
  onClose: () => void;
}

function Sure({ how, what, yes, onYes, onClose }: SureProps) {
  const { t } = useLingui();
  const isCancel = how === "cancel";
  return (
    <Dialog title={isCancel ? t`Cancel this visit?` : t`Does this visit take place?`} onClose={onClose}>
      <p>{what}</p>
      <p>
        {isCancel ? (
          <Trans>The patient hears that it was cancelled.</Trans>
        ) : (
          <Trans>Nothing is moved, and no other time is proposed any more. Tell the patient.</Trans>
        )}
      </p>
      <div className="row">
        <button className={isCancel ? "button danger" : "button primary"} type="button" onClick={onYes}>
          {yes}
        </button>
        <button className="button" type="button" onClick={onClose}>
          <Trans>Not now</Trans>
        </button>
      </div>
    </Dialog>
  );
}

/** The patient waits for a choice, and has no message that asks for it. */
const isLost = ({ told, state }: Visit) => state !== "chosen" && (told === "none" || told === "failed");

function Told({ visit, zone }: { visit: Visit; zone: string }) {
  const { i18n } = useLingui();
  return (
    <div className="ends">
      <span className={isLost(visit) ? "chip warn" : "chip plain"}>{i18n._(TOLD[visit.told])}</span>
      {!visit.overdue && !isLost(visit) && (
        <p className="quiet small">
          <Trans>
            Chooses until <bdi>{sayStart(visit.answer_by, zone)}</bdi>
          </Trans>
        </p>
      )}
    </div>
  );
}

function Result({ visit }: { visit: Visit }) {
  const { i18n } = useLingui();
  const { outcome, resolved_by: by, moved_to: to } = visit;
  return (
    <div className="ends">
      <span className="chip">{outcome !== null && i18n._(OUTCOMES[outcome])}</span>
      {to !== null && (
        <p>
          <bdi>{sayStart(to.start, to.time_zone)}</bdi>
          {!to.same_provider && (
            <>
              {" · "}
              <bdi>{to.provider}</bdi>
            </>
          )}
        </p>
      )}
      {by !== null && outcome !== "withdrawn" && outcome !== "past" && (
        <p className="quiet small">{i18n._(THROUGH[by])}</p>
      )}
    </div>
  );
}
