import { msg } from "@lingui/core/macro";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState, type FormEvent } from "react";
import { answered, api, type Provider, type Schemas } from "../app/api";
import { refusalText } from "../app/refusals";
import { say, today } from "../app/time";
import { speakOut } from "../ui/spoken";
import { Affected } from "./leave";
import { zoneOf } from "./visit";

type State = Schemas["BusyCalendarState"];

/** While the first attempt is awaited, and afterwards. */
const SOON_MS = 2_000;
const EVERY_MS = 60_000;
/** As many days as a schedule shows at once. */
const DAYS = 61;

const WHY: Record<NonNullable<State["failure"]>, ReturnType<typeof msg>> = {
  unreachable: msg`The server does not answer.`,
  private_address: msg`The address leads to no server of the public internet.`,
  refused: msg`The server does not know the address any more. End the import, and begin it with the new address.`,
  server_error: msg`The server answers with an error.`,
  too_large: msg`The calendar is too large.`,
  not_a_calendar: msg`The address leads to something that is not a calendar.`,
  too_complex: msg`The calendar takes too long to be read.`,
  not_taken: msg`There is too much leave already. Give some back.`,
};

const pathOf = (provider: Provider) => ({ provider_id: provider.provider_id });

/** Whether a calendar is imported; undefined until it is known. */
function useBusy(provider: Provider) {
  return useQuery({
    queryKey: ["busy", provider.provider_id],
    refetchInterval: ({ state }) => (state.data?.calendar?.tried_at === null ? SOON_MS : EVERY_MS),
    queryFn: async () =>
      answered(
        await api.GET("/v1/providers/{provider_id}/busy-calendar", { params: { path: pathOf(provider) } }),
      ),
  });
}

/** The doctor's own calendar elsewhere: its busy times are leave. */
export function BusyTimes({ provider, leave }: { provider: Provider; leave: readonly Schemas["TimeOffBody"][] }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const [wrong, setWrong] = useState<string>();
  const found = useBusy(provider);
  const state = found.data?.calendar;
  const readAt = state?.read_at;
  useEffect(() => {
    // What was imported is in the list below by now.
    if (readAt != null) void queries.invalidateQueries({ queryKey: ["leave"] });
  }, [queries, readAt]);
  const isEnding = found.data !== undefined && state == null && leave.some((one) => one.imported);
  useEffect(() => {
    if (!isEnding) return undefined;
    // Its time is given back by a job: the list is looked at until that is done.
    const timer = setInterval(() => void queries.invalidateQueries({ queryKey: ["leave"] }), SOON_MS);
    return () => clearInterval(timer);
  }, [queries, isEnding]);
  const again = () => queries.invalidateQueries({ queryKey: ["busy"] });
  const set = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const url = String(new FormData(form).get("url") ?? "").trim();
    if (url === "") return setWrong(t`Paste the address of your calendar.`);
    const answer = await api.PUT("/v1/providers/{provider_id}/busy-calendar", {
      params: { path: pathOf(provider) },
      body: { url },
    });
    if (answer.error !== undefined) {
      const isAddress = answer.error.code === "invalid_request";
      return setWrong(
        isAddress
          ? t`This is no address of a calendar on the public internet. It begins with https or webcal.`
          : i18n._(refusalText(answer.error.code)),
      );
    }
    setWrong(undefined);
    form.reset();
    speakOut(t`The calendar is read now.`);
    await again();
  };
  const refresh = async () => {
    await api.POST("/v1/providers/{provider_id}/busy-calendar/refresh", { params: { path: pathOf(provider) } });
    speakOut(t`The calendar is read soon.`);
    await again();
  };
  const end = async () => {
    await api.DELETE("/v1/providers/{provider_id}/busy-calendar", { params: { path: pathOf(provider) } });
    speakOut(t`The import has ended. Its time is offered again soon.`);
    await again();
    await queries.invalidateQueries({ queryKey: ["leave"] });
  };
  if (found.data === undefined) return null;
  return (
    <section className="card stack" aria-labelledby="busy">
      <h2 id="busy">
        <Trans>Busy times from your own calendar</Trans>
      </h2>
      <p className="quiet">
        <Trans>
          When your calendar elsewhere is busy, nothing is offered here. Only the times are read, neither titles nor
          people. Visits that are booked stay.
        </Trans>
      </p>
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {wrong}
        </p>
      )}
      {state != null && <Standing state={state} zone={zoneOf(provider)} />}
      {state != null && state.spans > 0 && <Met provider={provider} leave={leave} />}
      {state == null ? (
        <form className="stack" onSubmit={(event) => void set(event)} noValidate>
          <div className="field">
            <label htmlFor="busy-url">
              <Trans>Secret address of the calendar (iCal, webcal)</Trans>
            </label>
            <input
              id="busy-url"
              name="url"
              className="input"
              type="url"
              dir="ltr"
              autoComplete="off"
              spellCheck={false}
              maxLength={2_000}
            />
          </div>
          <button className="button primary" type="submit">
            <Trans>Import busy times</Trans>
          </button>
        </form>
      ) : (
        <div className="row">
          <button className="button" type="button" onClick={() => void refresh()}>
            <Trans>Read it now</Trans>
          </button>
          <button className="button" type="button" onClick={() => void end()}>
            <Trans>End the import</Trans>
          </button>
        </div>
      )}
    </section>
  );
}

/** How the import goes. */
function Standing({ state, zone }: { state: State; zone: string }) {
  const { i18n } = useLingui();
  const at = (when: string) => say(when, zone, { dateStyle: "medium", timeStyle: "short" });
  const { host, read_at: read, failure, skipped, spans, cut_from: cut } = state;
  return (
    <div role="status" className="stack">
      <p>
        <strong>
          <bdi>{host}</bdi>
        </strong>
        {read != null ? (
          <>
            {" · "}
            <Trans>
              read <bdi>{at(read)}</bdi>
            </Trans>
            {" · "}
            <Plural value={spans} _0="no busy time" one="# busy time" other="# busy times" />
          </>
        ) : (
          failure === null && (
            <>
              {" · "}
              <Trans>is being read…</Trans>
            </>
          )
        )}
      </p>
      {failure !== null && (
        <p className="notice bad">
          {i18n._(WHY[failure])} <Trans>Nothing was changed. It is tried again by itself.</Trans>
        </p>
      )}
      {skipped > 0 && (
        <p className="notice">
          <Plural
            value={skipped}
            one="# entry cannot be read, and takes no time here."
            other="# entries cannot be read, and take no time here."
          />
        </p>
      )}
      {cut != null && (
        <p className="notice">
          <Trans>
            There are too many busy times: those from <bdi>{at(cut)}</bdi> on are left out.
          </Trans>
        </p>
      )}
    </div>
  );
}

/** Booked visits within imported leave: they stay until they are moved or cancelled. */
function Met({ provider, leave }: { provider: Provider; leave: readonly Schemas["TimeOffBody"][] }) {
  const zone = zoneOf(provider);
  const from = today(zone);
  const to = new Date(Date.parse(from) + DAYS * 86_400_000).toISOString().slice(0, 10);
  const found = useQuery({
    queryKey: ["leave", provider.provider_id, "met", from],
    queryFn: async () =>
      answered(
        await api.GET("/v1/providers/{provider_id}/schedule", {
          params: { path: pathOf(provider), query: { from, to } },
        }),
      ).bookings,
  });
  const imported = leave.filter((one) => one.imported);
  const rows = (found.data ?? []).filter(
    (visit) =>
      visit.status === "booked" && imported.some((one) => visit.start < one.end && one.start < visit.end),
  );
  if (rows.length === 0) return null;
  return (
    <div className="stack">
      <h3>
        <Plural
          value={rows.length}
          one="# booked visit is in a busy time"
          other="# booked visits are in busy times"
        />
      </h3>
      <p>
        <Trans>They stay booked. Move or cancel each, so that its patient knows.</Trans>
      </p>
      <Affected rows={rows} provider={provider.provider_id} zone={zone} />
    </div>
  );
}
