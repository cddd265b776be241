import "./ops.css";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState, type ReactNode } from "react";
import { answered, api, type Schemas } from "../app/api";
import { useFollow } from "../app/shell";
import { HERE, say } from "../app/time";
import { Gate } from "../ui/gate";
import { isUnproved, Unproved } from "../ui/unproved";
import { Plot } from "./plot";

type Cluster = Schemas["ClusterAnswer"];

const EVERY_MS = 2_000;
/** Two minutes of samples. */
const SAMPLES = 60;

/** The health of the cluster, as it changes: in words first, then in numbers and plots. */
export function HealthPage() {
  return (
    <Gate>
      <Health />
    </Gate>
  );
}

interface Sample {
  at: number;
  commands: number;
  lag: number;
  fsync: number;
  watchers: number;
}

function Health() {
  const follow = useFollow();
  const found = useQuery({
    queryKey: ["cluster"],
    refetchInterval: EVERY_MS,
    queryFn: async () => answered(await api.GET("/v1/cluster")),
  });
  const samples = useSamples(found.data);
  const cluster = found.data;
  if (cluster === undefined) {
    return found.isError ? (
      <p className="notice bad" role="alert">
        <Trans>The cluster's health could not be read. We try again.</Trans>
      </p>
    ) : (
      <div className="card page-room" aria-busy="true" />
    );
  }
  return (
    <div className="stack">
      <div className="row between">
        <div>
          <h1>
            <Trans>Health</Trans>
          </h1>
          <p className="quiet small">
            <Trans>
              Version {cluster.version}, as of <bdi>{say(cluster.now, HERE, { timeStyle: "medium" })}</bdi>
            </Trans>
          </p>
        </div>
        <a className="button" href="/ops/roles" onClick={follow}>
          <Trans>Roles and rights</Trans>
        </a>
      </div>
      {found.isError && (
        <p className="notice" role="status">
          <Trans>The server does not answer just now. These are its last numbers.</Trans>
        </p>
      )}
      <Verdict cluster={cluster} />
      <Numbers cluster={cluster} samples={samples} />
      <Plots samples={samples} />
      <Shards cluster={cluster} />
      <Jobs />
    </div>
  );
}

/** What is wrong, in one sentence; or that nothing is. */
function Verdict({ cluster }: { cluster: Cluster }) {
  const bad = cluster.checks.filter((one) => !one.ok);
  const isDown = bad.some((one) => one.required);
  return (
    <section className={isDown ? "notice bad" : bad.length > 0 ? "notice" : "notice good"} role="status">
      <h2>
        {isDown ? (
          <Trans>Booking does not work.</Trans>
        ) : bad.length > 0 ? (
          <Trans>Booking works, but something needs you.</Trans>
        ) : (
          <Trans>All is well.</Trans>
        )}
      </h2>
      <ul className="checks">
        {cluster.checks.map((one) => (
          <li key={one.name}>
            <span className="dot" data-ok={one.ok} aria-hidden="true" />
            <span>
              <strong>{one.name}</strong>: {one.ok ? <Trans>in order</Trans> : one.detail || <Trans>not in order</Trans>}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Numbers({ cluster, samples }: { cluster: Cluster; samples: readonly Sample[] }) {
  const sum = (name: "calendars" | "lag_events" | "waiting") =>
    cluster.shards.reduce((total, one) => total + one[name], 0);
  const rate = ratesOf(samples).at(-1);
  const worst = Math.max(0, ...cluster.shards.map((one) => one.fsync_p99_ms));
  const items: [ReactNode, ReactNode][] = [
    [<Trans key="c">commands a second</Trans>, rate === undefined ? "–" : rate.toFixed(1)],
    [<Trans key="w">live connections</Trans>, cluster.watchers],
    [<Trans key="k">calendars</Trans>, sum("calendars")],
    [<Trans key="l">events the read model is behind</Trans>, sum("lag_events")],
    [<Trans key="q">requests waiting in shards</Trans>, sum("waiting")],
    [<Trans key="f">ms to write the journal (p99)</Trans>, worst.toFixed(1)],
  ];
  return (
    <div className="numbers">
      {items.map(([name, value], index) => (
        <p key={index} className="card number">
          <strong>
            <bdi>{value}</bdi>
          </strong>
          <span className="quiet small">{name}</span>
        </p>
      ))}
    </div>
  );
}

function Plots({ samples }: { samples: readonly Sample[] }) {
  const { t } = useLingui();
  return (
    <div className="plots">
      <Plot title={t`Commands a second`} values={ratesOf(samples)} />
      <Plot title={t`Journal write, p99 in ms`} values={samples.map((one) => one.fsync)} />
      <Plot title={t`Events behind`} values={samples.map((one) => one.lag)} />
      <Plot title={t`Live connections`} values={samples.map((one) => one.watchers)} />
    </div>
  );
}

function Shards({ cluster }: { cluster: Cluster }) {
  return (
    <section className="card stack" aria-labelledby="shards">
      <h2 id="shards">
        <Plural value={cluster.shards.length} one="# shard" other="# shards" />
      </h2>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls: the keyboard must reach it */}
      <div className="scroll" tabIndex={0} role="group" aria-labelledby="shards">
        <table>
          <thead>
            <tr>
              <th scope="col"><Trans>Shard</Trans></th>
              <th scope="col"><Trans>Node</Trans></th>
              <th scope="col"><Trans>State</Trans></th>
              <th scope="col"><Trans>Epoch</Trans></th>
              <th scope="col"><Trans>Events</Trans></th>
              <th scope="col"><Trans>Calendars</Trans></th>
              <th scope="col"><Trans>Behind</Trans></th>
              <th scope="col"><Trans>Write p50 / p99</Trans></th>
              <th scope="col"><Trans>Memory</Trans></th>
            </tr>
          </thead>
          <tbody>
            {cluster.shards.map((one) => (
              <tr key={one.shard}>
                <th scope="row"><bdi>{one.shard}</bdi></th>
                <td><bdi>{one.node || "–"}</bdi></td>
                <td>
                  <span className="dot" data-ok={one.up && one.state === "open"} aria-hidden="true" /> {one.state}
                </td>
                <td>{one.epoch}</td>
                <td>{one.last_seq}</td>
                <td>{one.calendars}</td>
                <td>{one.lag_events}</td>
                <td>
                  <bdi>{one.fsync_p50_ms.toFixed(1)} / {one.fsync_p99_ms.toFixed(1)} ms</bdi>
                </td>
                <td>
                  <bdi>{Math.round(one.memory_bytes / 1_000_000)} MB</bdi>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** Background jobs: only for sessions that proved two factors. */
function Jobs() {
  const found = useQuery({
    queryKey: ["jobs"],
    retry: false,
    refetchInterval: (query) => (query.state.error === null ? EVERY_MS * 5 : false),
    queryFn: async () => answered(await api.GET("/v1/jobs")),
  });
  if (isUnproved(found.error)) return <Unproved error={found.error} onAgain={() => found.refetch()} />;
  if (found.data === undefined) return null;
  const { waiting, done, dead } = found.data;
  return (
    <section className="card stack" aria-labelledby="jobs">
      <h2 id="jobs">
        <Trans>Background jobs</Trans>
      </h2>
      <p>
        <Trans>
          {waiting} waiting, {done} done, {dead} given up.
        </Trans>
      </p>
    </section>
  );
}

function useSamples(cluster: Cluster | undefined): readonly Sample[] {
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  const now = cluster?.now;
  useEffect(() => {
    if (cluster === undefined) return;
    const { shards } = cluster;
    const next: Sample = {
      at: Date.parse(cluster.now),
      commands: shards.reduce((sum, one) => sum + one.commands, 0),
      lag: shards.reduce((sum, one) => sum + one.lag_events, 0),
      fsync: Math.max(0, ...shards.map((one) => one.fsync_p99_ms)),
      watchers: cluster.watchers,
    };
    // A sample is an answer of the server: it is known only when that comes.
    // eslint-disable-next-line react-hooks/set-state-in-effect
    setSamples((old) => [...old.slice(1 - SAMPLES), next]);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- one sample an answer
  }, [now]);
  return samples;
}

/** Commands a second between samples; a shard that began again counts from nothing. */
function ratesOf(samples: readonly Sample[]): number[] {
  return samples.slice(1).map((one, index) => {
    const before = samples[index]!;
    const seconds = (one.at - before.at) / 1_000;
    return seconds <= 0 ? 0 : Math.max(0, one.commands - before.commands) / seconds;
  });
}
