import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useState, type FormEvent } from "react";
import { FeedWay } from "../account/feedway";
import { answered, api, type Provider, type Schemas } from "../app/api";
import { useSending } from "../app/keys";
import { refusalText } from "../app/refusals";
import { useContextOfSession, useFollow } from "../app/shell";
import { localOf, sayStart, today } from "../app/time";
import { Icon } from "../ui/icons";
import { speakOut } from "../ui/spoken";
import { Desk } from "./desk";
import { PatientName } from "./names";
import { spanOf, zoneOf } from "./visit";

const route = getRouteApi("/desk/leave/$provider");
const LeaveQueue = lazy(async () => ({ default: (await import("./queue")).LeaveQueue }));
const QueueWay = lazy(async () => ({ default: (await import("./queue")).QueueWay }));
const GivenBack = lazy(async () => ({ default: (await import("./queue")).GivenBack }));
const BusyTimes = lazy(async () => ({ default: (await import("./busy")).BusyTimes }));
/** Whose part another calendar's busy times are: the doctor's, and the clinic's administration's. */
const MANAGERS = new Set(["doctor", "clinic_admin"]);

/** Leave, and what it strands: seen before it is taken. */
export function LeavePage() {
  const { provider } = route.useParams();
  const { queue } = route.useSearch();
  return (
    <Desk provider={provider}>
      {(found) =>
        queue === undefined ? (
          <Leave provider={found} />
        ) : (
          <Suspense fallback={<div className="card page-room" aria-busy="true" />}>
            <LeaveQueue key={queue} provider={found} leave={queue} />
          </Suspense>
        )
      }
    </Desk>
  );
}

interface Wanted {
  start: string;
  end: string;
  reason: string;
}

function Leave({ provider }: { provider: Provider }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const zone = zoneOf(provider);
  const path = { provider_id: provider.provider_id };
  const [wanted, setWanted] = useState<Wanted>();
  const [effect, setEffect] = useState<Schemas["TimeOffEffect"]>();
  const [wrong, setWrong] = useState<string>();
  const [notGiven, setNotGiven] = useState<{ id: string; text: string }>();
  const { isAsking, send } = useSending();
  const found = useQuery({
    queryKey: ["leave", provider.provider_id],
    queryFn: async () =>
      answered(await api.GET("/v1/providers/{provider_id}/time-off", { params: { path } })).items,
  });
  const look = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const start = String(form.get("start") ?? "");
    const end = String(form.get("end") ?? "") || start;
    if (start === "" || end < start) return setWrong(t`Choose a first day, and a last one that is not before it.`);
    const body = { start, end, reason: String(form.get("reason") ?? "").trim() };
    const answer = await send({ body, isDry: true }, () =>
      api.POST("/v1/providers/{provider_id}/time-off", { params: { path, query: { dry_run: "true" } }, body }),
    );
    if (answer === undefined) return;
    if (answer.error !== undefined) return setWrong(i18n._(refusalText(answer.error.code)));
    setWrong(undefined);
    setWanted(body);
    setEffect(answer.data as Schemas["TimeOffEffect"]);
  };
  const take = async () => {
    const body = wanted!;
    const answer = await send({ body }, (key) =>
      api.POST("/v1/providers/{provider_id}/time-off", { params: { path, header: { "Idempotency-Key": key } }, body }),
    );
    if (answer === undefined) return;
    if (answer.error !== undefined) return setWrong(i18n._(refusalText(answer.error.code)));
    setWrong(undefined);
    setEffect(undefined);
    speakOut(t`The leave is taken.`);
    void queries.invalidateQueries({ queryKey: ["leave"] });
    const taken = answer.data as Schemas["TimeOffAnswer"];
    if (taken.affected.length === 0) return;
    const params = { provider: provider.provider_id };
    await navigate({ to: "/desk/leave/$provider", params, search: { queue: taken.time_off_id } });
  };
  const giveBack = async (id: string) => {
    const answer = await send({ id }, () =>
      api.DELETE("/v1/providers/{provider_id}/time-off/{time_off_id}", {
        params: { path: { ...path, time_off_id: id } },
      }),
    );
    if (answer === undefined) return;
    // One that is gone already is what was wanted.
    const isGone = answer.error === undefined || answer.error.code === "time_off_not_found";
    setNotGiven(isGone ? undefined : { id, text: i18n._(refusalText(answer.error?.code)) });
    if (!isGone) return;
    speakOut(t`The time is offered again.`);
    void queries.invalidateQueries({ queryKey: ["leave"] });
    void queries.invalidateQueries({ queryKey: ["leaves"] });
  };
  const first = today(zone);
  const role = useContextOfSession()?.role ?? "";
  const leave = found.data ?? [];
  return (
    <div className="stack medium">
      <div className="row between">
        <h1>
          <Trans>Leave</Trans>
        </h1>
        <Suspense fallback={null}>
          <FeedWay />
        </Suspense>
      </div>
      <form className="card stack" onSubmit={(event) => void look(event)} noValidate>
        <h2>
          <Trans>Take leave</Trans>
        </h2>
        {wrong !== undefined && (
          <p className="notice bad" role="alert">
            {wrong}
          </p>
        )}
        <div className="row">
          <div className="field">
            <label htmlFor="start">
              <Trans>First day</Trans>
            </label>
            <input id="start" name="start" className="input" type="date" min={first} />
          </div>
          <div className="field">
            <label htmlFor="end">
              <Trans>Last day</Trans>
            </label>
            <input id="end" name="end" className="input" type="date" min={first} />
          </div>
          <div className="field grow">
            <label htmlFor="reason">
              <Trans>Reason (optional, patients do not see it)</Trans>
            </label>
            <input id="reason" name="reason" className="input" maxLength={200} />
          </div>
        </div>
        <button className="button primary" type="submit" aria-disabled={isAsking}>
          <Trans>See what it affects</Trans>
        </button>
      </form>
      {effect !== undefined && (
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
            <>
              <p>
                <Trans>
                  Each of these patients is told, and is proposed three times to choose from. You see who has chosen,
                  until each visit is resolved.
                </Trans>
              </p>
              <Affected rows={effect.affected} provider={provider.provider_id} zone={zone} />
            </>
          )}
          <div className="row">
            <button className="button primary" type="button" aria-disabled={isAsking} onClick={() => void take()}>
              <Trans>Take the leave</Trans>
            </button>
            <button className="button" type="button" onClick={() => setEffect(undefined)}>
              <Trans>Do not</Trans>
            </button>
          </div>
        </section>
      )}
      {MANAGERS.has(role) && (
        <Suspense fallback={null}>
          <BusyTimes provider={provider} leave={leave} />
        </Suspense>
      )}
      <section className="stack" aria-labelledby="taken">
        <h2 id="taken">
          <Trans>Leave that is taken</Trans>
        </h2>
        {found.data?.length === 0 && (
          <p className="card empty">
            <Icon name="leave" size={32} />
            <Trans>None.</Trans>
          </p>
        )}
        <ul className="plain-list stack">
          {leave.map((one) => (
            <li key={one.time_off_id} className="card row between">
              <span>
                <strong>
                  <bdi>{spanOf(one, zone)}</bdi>
                </strong>{" "}
                <bdi className="quiet">{one.imported ? t`from your own calendar` : one.reason}</bdi>
              </span>
              <Suspense fallback={null}>
                <QueueWay provider={provider} leave={one.time_off_id} />
              </Suspense>
              {!one.imported && (
                <button
                  className="button small"
                  type="button"
                  aria-disabled={isAsking}
                  onClick={() => void giveBack(one.time_off_id)}
                >
                  <Trans>Give the time back</Trans>
                </button>
              )}
              {notGiven?.id === one.time_off_id && (
                <p className="notice bad" role="alert">
                  {notGiven.text}
                </p>
              )}
            </li>
          ))}
        </ul>
        <Suspense fallback={null}>
          <GivenBack provider={provider} />
        </Suspense>
      </section>
    </div>
  );
}

export function Affected(props: { rows: readonly Schemas["BookingBody"][]; provider: string; zone: string }) {
  const follow = useFollow();
  const { rows, provider, zone } = props;
  return (
    <ul>
      {rows.map((one) => (
        <li key={one.booking_id}>
          <a href={`/desk/day/${provider}?date=${localOf(one.start, zone).date}`} onClick={follow}>
            <bdi>{sayStart(one.start, zone)}</bdi>
          </a>
          , <PatientName id={one.patient_id} />
        </li>
      ))}
    </ul>
  );
}
