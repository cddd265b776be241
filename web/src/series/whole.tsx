import "./series.css";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { answered, api } from "../app/api";
import { refusalText } from "../app/refusals";
import { localOf } from "../app/time";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";
import { sayVisit, STATUS, VISIT_STATE, type Result, type Series, type SeriesVisit } from "./asking";
import { useSending } from "../app/keys";

export interface Membership {
  series: string;
  number: number;
  count: number;
}

/** "Visit 2 of 6": opens the whole series. */
export function SeriesButton({ series, number, count }: Membership) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button className="button small" type="button" onClick={() => setOpen(true)}>
        <Trans>
          Visit {number} of {count}
        </Trans>
      </button>
      {isOpen && <SeriesDialog name={series} first={number} onClose={() => setOpen(false)} />}
    </>
  );
}

type What = "cancel" | "move";
type Changing = { what: What; visit: SeriesVisit };

export interface Whole {
  name: string;
  first: number;
  /** What is asked first of that visit; without it all are shown. */
  initially?: What;
  onClose: () => void;
}

/** All visits of a series, and what can be done with one of them or with those that follow. */
export function SeriesDialog({ name, first, initially, onClose }: Whole) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const queryKey = ["series", name];
  const found = useQuery({
    queryKey,
    staleTime: 0,
    queryFn: async () => answered(await api.GET("/v1/series/{series_id}", { params: { path: { series_id: name } } })),
  });
  const [chosen, setChosen] = useState(initially && { what: initially, number: first });
  const setChanging = (next: Changing | undefined) =>
    setChosen(next && { what: next.what, number: next.visit.number });
  const [results, setResults] = useState<readonly Result[]>();
  const series = found.data;
  const meant = series?.visits.find((one) => one.number === chosen?.number);
  const changing = chosen && meant && { what: chosen.what, visit: meant };
  const done = (made: { results: Result[]; series: Series }) => {
    queries.setQueryData(queryKey, made.series);
    setResults(made.results);
    setChanging(undefined);
    speakOut(made.results.every((one) => one.done) ? t`Done.` : t`Not all could be done.`);
  };
  const failed = results?.filter((one) => !one.done) ?? [];
  return (
    <Dialog title={t`Series of visits`} onClose={onClose}>
      {found.isError && (
        <p className="notice bad" role="alert">
          {i18n._(refusalText("unavailable"))}
        </p>
      )}
      {results !== undefined && (
        <div className={failed.length === 0 ? "notice good" : "notice"} role="status">
          <p>
            <Plural
              value={results.length - failed.length}
              one="# visit was changed."
              other="# visits were changed."
            />
          </p>
          {failed.map((one) => (
            <p key={one.number}>
              <Trans>
                Visit {one.number}: {i18n._(refusalText(one.code))}
              </Trans>
            </p>
          ))}
        </div>
      )}
      {series === undefined ? (
        <div className="page-room" aria-busy={!found.isError} />
      ) : changing === undefined ? (
        <ol className="series-dates">
          {series.visits.map((one) => (
            <VisitRow key={one.number} visit={one} series={series} isFirst={one.number === first} onChange={setChanging} onDone={done} />
          ))}
        </ol>
      ) : (
        <Change series={series} changing={changing} onDone={done} onBack={() => setChanging(undefined)} />
      )}
      {changing === undefined && (
        <button className="button" type="button" onClick={onClose}>
          <Trans>Close</Trans>
        </button>
      )}
    </Dialog>
  );
}

interface RowProps {
  visit: SeriesVisit;
  series: Series;
  isFirst: boolean;
  onChange: (changing: Changing) => void;
  onDone: (made: { results: Result[]; series: Series }) => void;
}

function VisitRow({ visit, series, isFirst, onChange, onDone }: RowProps) {
  const { t, i18n } = useLingui();
  const zone = series.time_zone;
  const { isAsking, send } = useSending();
  const [wrong, setWrong] = useState<string>();
  const when = sayVisit(visit.start, zone);
  const state = visit.status === null ? VISIT_STATE[visit.state] : STATUS[visit.status];
  const isOpen = visit.state === "waiting" || visit.state === "failed" || visit.status === "booked";
  const take = async (start: string) => {
    const body = { number: visit.number, scope: "this" as const, start };
    const answer = await send(body, (key) =>
      api.POST("/v1/series/{series_id}/move", {
        params: { path: { series_id: series.series_id }, header: { "Idempotency-Key": key } },
        body,
      }),
    );
    if (answer?.error !== undefined) return setWrong(i18n._(refusalText(answer.error.code)));
    if (answer?.data !== undefined) onDone(answer.data);
  };
  return (
    <li aria-current={isFirst ? "true" : undefined}>
      <span className="row between">
        <span>
          <strong>{visit.number}.</strong> <bdi>{when}</bdi>
        </span>
        <span className={visit.state === "failed" ? "chip warn" : "chip plain"}>{i18n._(state)}</span>
      </span>
      {visit.state === "failed" && (
        <span className="times" role="group" aria-label={t`Instead of ${when}`}>
          {visit.alternatives.map((start) => (
            <button
              key={start}
              className="button small"
              type="button"
              aria-disabled={isAsking}
              onClick={() => void take(start)}
            >
              <bdi>{sayVisit(start, zone)}</bdi>
            </button>
          ))}
        </span>
      )}
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {wrong}
        </p>
      )}
      {isOpen && (
        <span className="row">
          <button
            className="button small"
            type="button"
            aria-label={t`Move visit ${visit.number}`}
            onClick={() => onChange({ what: "move", visit })}
          >
            <Trans>Move</Trans>
          </button>
          <button
            className="button small danger"
            type="button"
            aria-label={t`Cancel visit ${visit.number}`}
            onClick={() => onChange({ what: "cancel", visit })}
          >
            <Trans>Cancel</Trans>
          </button>
        </span>
      )}
    </li>
  );
}

interface ChangeProps {
  series: Series;
  changing: Changing;
  onDone: (made: { results: Result[]; series: Series }) => void;
  onBack: () => void;
}

/** Asks whether one visit is meant or those that follow too, and does it. */
function Change({ series, changing, onDone, onBack }: ChangeProps) {
  const { i18n } = useLingui();
  const { what, visit } = changing;
  const zone = series.time_zone;
  const [wrong, setWrong] = useState<string>();
  const { isAsking, send } = useSending();
  const [date, setDate] = useState(localOf(visit.start, zone).date);
  const [start, setStart] = useState<string>();
  const free = useQuery({
    queryKey: ["series-starts", series.provider_id, series.visit_type, date, visit.booking_id],
    enabled: what === "move" && date !== "",
    staleTime: 0,
    queryFn: async () => {
      const moving = visit.booking_id === null ? {} : { moving: visit.booking_id };
      const answer = await api.GET("/v1/providers/{provider_id}/slots", {
        params: {
          path: { provider_id: series.provider_id },
          query: { visit_type: series.visit_type, from: date, to: date, ...moving },
        },
      });
      return answered(answer).slots.filter((one) => one.state === "free").map((one) => one.start);
    },
  });
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (what === "move" && start === undefined) return;
    const scope = new FormData(event.currentTarget).get("scope") === "following" ? "following" : "this";
    const path = { series_id: series.series_id };
    const body = { number: visit.number, scope } as const;
    const moved = { ...body, start: start ?? "" };
    const answer = await send({ what, ...moved }, (key) => {
      const params = { path, header: { "Idempotency-Key": key } };
      return what === "cancel"
        ? api.POST("/v1/series/{series_id}/cancel", { params, body })
        : api.POST("/v1/series/{series_id}/move", { params, body: moved });
    });
    if (answer?.error !== undefined) return setWrong(i18n._(refusalText(answer.error.code)));
    if (answer?.data !== undefined) onDone(answer.data);
  };
  return (
    <form className="stack" onSubmit={(event) => void submit(event)}>
      <p>
        <strong>
          <bdi>{sayVisit(visit.start, zone)}</bdi>
        </strong>
      </p>
      <fieldset>
        <legend>{what === "cancel" ? <Trans>What is cancelled</Trans> : <Trans>What is moved</Trans>}</legend>
        <label className="check">
          <input type="radio" name="scope" value="this" defaultChecked />
          <Trans>This visit</Trans>
        </label>
        <label className="check">
          <input type="radio" name="scope" value="following" />
          <Trans>This visit and all that follow</Trans>
        </label>
      </fieldset>
      {what === "move" && (
        <>
          <div className="field">
            <label htmlFor="series-day">
              <Trans>New day</Trans>
            </label>
            <input
              id="series-day"
              className="input"
              type="date"
              required
              value={date}
              onChange={(event) => {
                setDate(event.target.value);
                setStart(undefined);
              }}
            />
          </div>
          <fieldset>
            <legend>
              <Trans>New time</Trans>
            </legend>
            {free.isError && (
              <p className="notice bad row between" role="alert">
                {i18n._(refusalText(undefined))}
                <button className="button small" type="button" onClick={() => void free.refetch()}>
                  <Trans>Try again</Trans>
                </button>
              </p>
            )}
            {free.data?.length === 0 && (
              <p className="quiet">
                <Trans>No free time on this day.</Trans>
              </p>
            )}
            <div className="series-times" aria-busy={free.isPending}>
              {(free.data ?? []).map((one) => (
                <button
                  key={one}
                  className="button small"
                  type="button"
                  aria-pressed={one === start}
                  onClick={() => setStart(one)}
                >
                  {one === start && "✓ "}
                  <bdi>{localOf(one, zone).time}</bdi>
                </button>
              ))}
            </div>
          </fieldset>
        </>
      )}
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {wrong}
        </p>
      )}
      <div className="row">
        <button
          className={what === "cancel" ? "button danger" : "button primary"}
          type="submit"
          disabled={what === "move" && start === undefined}
          aria-disabled={isAsking}
        >
          {isAsking ? <Trans>One moment …</Trans> : what === "cancel" ? <Trans>Cancel visits</Trans> : <Trans>Move</Trans>}
        </button>
        <button className="button" type="button" onClick={onBack}>
          <Trans>Back to the series</Trans>
        </button>
      </div>
    </form>
  );
}
