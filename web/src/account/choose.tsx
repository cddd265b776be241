import "./account.css";
import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Suspense, useId, useRef, useState, type ReactNode } from "react";
import { api, Refused, type Schemas } from "../app/api";
import { useSending } from "../app/keys";
import { linkToken } from "../app/links";
import { refusalText } from "../app/refusals";
import { useFollow } from "../app/shell";
import { useNow } from "../live/hooks";
import { WhereWay } from "../resources/ways";
import { HERE, cityOf, localOf, say } from "../app/time";
import { Gate } from "../ui/gate";
import { Icon } from "../ui/icons";
import { speakOut } from "../ui/spoken";

type Shown = Schemas["EquivalentsAnswer"];
type Time = Schemas["EquivalentAnswer"];
type Answer = { data?: Shown | undefined; error?: { code?: string } | undefined; response: { status: number } };

/** What the server says; what did not come from it is thrown, and says nothing of the visit. */
async function heard(asked: Promise<Answer>): Promise<Answer> {
  const answer = await asked;
  const { status } = answer.response;
  if (status === 0 || status >= 500) throw new Refused((answer.error ?? {}) as { code: string });
  return answer;
}

const DAY = { weekday: "long", day: "numeric", month: "long" } as const;
/** While what was chosen is being carried out elsewhere. */
const SOON_MS = 2_000;

const REFUSED: Record<string, MessageDescriptor> = {
  already_settled: msg`Another choice was made for this visit meanwhile. You see it here.`,
  slot_unavailable: msg`This time has just been taken. Nothing is lost: choose one of these.`,
  slot_not_offered: msg`This time is no longer offered. Choose one of these.`,
};

/** The link of a message: another time is chosen without signing in. */
export function ChoosePage() {
  const secret = linkToken() ?? "-";
  const params = { path: { secret } };
  return (
    <Choosing
      name={secret}
      read={() => api.GET("/v1/equivalents/{secret}", { params })}
      choose={(body) => api.POST("/v1/equivalents/{secret}", { params, body })}
    />
  );
}

/** The same, for those who are signed in. */
export function InsteadPage() {
  return <Gate>{() => <Instead />}</Gate>;
}

function Instead() {
  const { booking } = useParams({ from: "/me/visits/$booking" });
  const path = { booking_id: booking };
  return (
    <Choosing
      name={booking}
      read={() => api.GET("/v1/bookings/{booking_id}/equivalents", { params: { path } })}
      choose={(body, key) => {
        const header = { "Idempotency-Key": key };
        return api.POST("/v1/bookings/{booking_id}/equivalents", { params: { path, header }, body });
      }}
      isSignedIn
    />
  );
}

interface Props {
  name: string;
  read: () => Promise<Answer>;
  choose: (body: Schemas["ChooseBody"], key: string) => Promise<Answer>;
  isSignedIn?: boolean;
}

function Choosing({ name, read, choose, isSignedIn = false }: Props) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const queryKey = ["equivalents", name];
  const heading = useRef<HTMLHeadingElement>(null);
  const [refused, setRefused] = useState<string>();
  const [last, setLast] = useState<string>();
  const { isAsking, send } = useSending();
  const asked = isAsking ? last : undefined;
  const found = useQuery({
    queryKey,
    retry: false,
    refetchInterval: ({ state }) => (state.data?.data?.state === "chosen" ? SOON_MS : false),
    queryFn: () => heard(read()),
  });
  const take = async (time: Time) => {
    if (isAsking) return;
    setLast(keyOf(time));
    setRefused(undefined);
    const body = { provider_id: time.provider_id, start: time.start };
    const answer = await send(body, (key) => choose(body, key));
    if (answer === undefined) return;
    if (answer.error === undefined) {
      queries.setQueryData(queryKey, answer);
      speakOut(t`Your visit was moved.`);
      heading.current?.focus();
    } else {
      setRefused(answer.error.code ?? "");
      void queries.invalidateQueries({ queryKey });
    }
  };
  if (found.data === undefined) {
    return found.isError ? (
      <NotLoaded onAgain={() => void found.refetch()} />
    ) : (
      <div className="card page-room" aria-busy="true" />
    );
  }
  const shown = found.data.data;
  if (shown === undefined) return <Dead isSignedIn={isSignedIn} />;
  const isOpen = shown.state === "open";
  const isLost = shown.outcome === "moved" || shown.outcome === "cancelled" || isOpen;
  return (
    <div className="stack medium">
      <h1 tabIndex={-1} ref={heading}>
        {isOpen ? <Trans>Your visit cannot take place</Trans> : <Settled shown={shown} />}
      </h1>
      <Lost shown={shown} isOver={isLost}>
        {isSignedIn && !isLost && <Rooms booking_id={name} start={shown.start} />}
      </Lost>
      {refused !== undefined && (
        <p className="notice bad" role="alert">
          {i18n._(REFUSED[refused] ?? refusalText(refused))}
        </p>
      )}
      {isOpen && <Open shown={shown} asked={asked} onTake={(time) => void take(time)} />}
      {shown.moved_to !== null && (
        <Now time={shown.moved_to} isSignedIn={isSignedIn}>
          {isSignedIn && shown.moved_to.same_provider && <Rooms booking_id={name} start={shown.moved_to.start} />}
        </Now>
      )}
    </div>
  );
}

const keyOf = (time: Time) => `${time.provider_id} ${time.start}`;

function Open({ shown, asked, onTake }: { shown: Shown; asked: string | undefined; onTake: (time: Time) => void }) {
  const { phone, equivalents, answer_by: until, time_zone: zone } = shown;
  const now = useNow(false);
  const isLate = until === null || Date.parse(until) < now;
  const call = phone === "" ? null : (
    <a href={`tel:${phone.replaceAll(" ", "")}`} dir="ltr">
      {phone}
    </a>
  );
  return (
    <>
      {equivalents.length > 0 ? (
        <>
          <h2>
            <Trans>Choose one of these</Trans>
          </h2>
          <ul className="plain-list stack choices">
            {equivalents.map((time) => (
              <Choice
                key={keyOf(time)}
                time={time}
                isAsking={asked === keyOf(time)}
                isBusy={asked !== undefined}
                onTake={() => onTake(time)}
              />
            ))}
          </ul>
        </>
      ) : (
        <p className="notice">
          <Trans>There is no time like it just now. The practice will find one with you.</Trans>
        </p>
      )}
      <p className="quiet">
        {isLate ? (
          <Trans>If none fits, please call the practice. {call}</Trans>
        ) : (
          <Trans>
            If none fits, please call the practice. {call} If nothing is chosen by{" "}
            <bdi>{say(until, zone, { ...DAY, hour: "numeric", minute: "2-digit" })}</bdi>, the practice calls you.
          </Trans>
        )}
      </p>
    </>
  );
}

function Choice(props: { time: Time; isAsking: boolean; isBusy: boolean; onTake: () => void }) {
  const { time, isAsking, isBusy, onTake } = props;
  const id = useId();
  return (
    <li className="card row between choice">
      <div id={id}>
        <strong>
          <When time={time} />
        </strong>
        <p>
          <bdi>{time.provider}</bdi>
          {" · "}
          <bdi>{time.clinic}</bdi>
        </p>
        {!time.same_clinic && <p className="quiet small"><bdi>{time.address}</bdi></p>}
        <p className="row tight">
          {time.same_provider ? (
            <span className="chip">
              <Trans>Your doctor</Trans>
            </span>
          ) : time.same_clinic ? (
            <span className="chip plain">
              <Trans>Same practice</Trans>
            </span>
          ) : (
            <span className="chip warn">
              <Trans>Another practice</Trans>
            </span>
          )}
        </p>
      </div>
      <button className="button primary" type="button" aria-disabled={isBusy} aria-describedby={id} onClick={onTake}>
        {isAsking ? <Trans>Is being booked…</Trans> : <Trans>Take this time</Trans>}
      </button>
    </li>
  );
}

function When({ time }: { time: Time }) {
  const { start, time_zone: zone } = time;
  return (
    <>
      <bdi>
        {say(start, zone, DAY)}, {localOf(start, zone).time}
      </bdi>
      {zone !== HERE && (
        <span className="quiet small">
          {" "}
          <Trans>
            (<bdi>{cityOf(zone)}</bdi> time)
          </Trans>
        </span>
      )}
    </>
  );
}

function Rooms(visit: { booking_id: string; start: string }) {
  return (
    <Suspense fallback={null}>
      <WhereWay visit={visit} />
    </Suspense>
  );
}

/** The visit that it is about. */
function Lost({ shown, isOver, children }: { shown: Shown; isOver: boolean; children: ReactNode }) {
  const when = `${say(shown.start, shown.time_zone, DAY)}, ${localOf(shown.start, shown.time_zone).time}`;
  return (
    <div className="card">
      <strong>{isOver ? <s><bdi>{when}</bdi></s> : <bdi>{when}</bdi>}</strong>
      <p>
        <bdi>{shown.provider}</bdi>
        {" · "}
        <bdi>{shown.clinic}</bdi>
      </p>
      {shown.address !== "" && (
        <p className="quiet small">
          <bdi>{shown.address}</bdi>
        </p>
      )}
      {children}
    </div>
  );
}

function Settled({ shown }: { shown: Shown }) {
  if (shown.state === "chosen") return <Trans>Your visit is being moved…</Trans>;
  switch (shown.outcome) {
    case "moved":
      return <Trans>Your visit was moved</Trans>;
    case "cancelled":
      return <Trans>Your visit was cancelled</Trans>;
    case "past":
      return <Trans>The time of this visit is over</Trans>;
    default:
      return <Trans>Your visit takes place as booked</Trans>;
  }
}

function Now({ time, isSignedIn, children }: { time: Time; isSignedIn: boolean; children: ReactNode }) {
  const follow = useFollow();
  return (
    <div className="notice good confirmed" role="status">
      <Icon name="check" size={28} />
      <div>
        <strong>
          <When time={time} />
        </strong>
        <p>
          <bdi>{time.provider}</bdi>
          {" · "}
          <bdi>{time.clinic}</bdi>
        </p>
        <p className="small">
          <bdi>{time.address}</bdi>
        </p>
        {children}
        <p>
          {isSignedIn ? (
            <a href="/me/visits" onClick={follow}>
              <Trans>See my visits</Trans>
            </a>
          ) : (
            <Trans>A message with the new time is on its way to you.</Trans>
          )}
        </p>
      </div>
    </div>
  );
}

function NotLoaded({ onAgain }: { onAgain: () => void }) {
  return (
    <div className="narrow stack card">
      <p className="notice bad" role="alert">
        <Trans>This could not be loaded: we were not reached.</Trans>
      </p>
      <button className="button primary" type="button" onClick={onAgain}>
        <Trans>Try again</Trans>
      </button>
    </div>
  );
}

function Dead({ isSignedIn }: { isSignedIn: boolean }) {
  const follow = useFollow();
  return (
    <div className="narrow stack card">
      <h1>
        <Trans>There is nothing to choose here</Trans>
      </h1>
      <p className="notice" role="alert">
        {isSignedIn ? (
          <Trans>This visit is not among yours.</Trans>
        ) : (
          <Trans>The link does not work any more, or was not copied as a whole. Your visits show what is true now.</Trans>
        )}
      </p>
      <a className="button primary" href="/me/visits" onClick={follow}>
        <Trans>See my visits</Trans>
      </a>
    </div>
  );
}

/** Of a visit on its patient's page that a leave took: what to do, and the way there. */
export function Way({ booking }: { booking: string }) {
  const follow = useFollow();
  const { data } = useQuery({
    queryKey: ["equivalents", booking],
    retry: false,
    queryFn: () =>
      heard(api.GET("/v1/bookings/{booking_id}/equivalents", { params: { path: { booking_id: booking } } })),
  });
  const isOpen = data?.data?.state === "open";
  return (
    <div className="notice row between">
      <p>
        {isOpen ? (
          <Trans>The practice is away then. Please choose another time.</Trans>
        ) : (
          <Trans>The clinic has changed its hours. Please choose another time, or call the clinic.</Trans>
        )}
      </p>
      {isOpen && (
        <a className="button primary" href={`/me/visits/${booking}`} onClick={follow}>
          <Trans>Choose another time</Trans>
        </a>
      )}
    </div>
  );
}
