import { msg } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api } from "../app/api";
import { session } from "../app/session";
import { useContextOfSession } from "../app/shell";
import { HERE, say } from "../app/time";
import { wrongOf } from "./form";
import { prove } from "./proof";
import { roleName } from "./roles";

/** Who saw my data, and all of it to take along. */
export function Privacy() {
  const context = useContextOfSession();
  if (context?.role !== "patient") return null;
  return (
    <>
      <Seen subject={context.subject} />
      <Export />
    </>
  );
}

const WHAT: Record<string, ReturnType<typeof msg>> = {
  read_profile: msg`your data`,
  read_booking: msg`a visit`,
  read_schedule: msg`a day of visits`,
  find_patient: msg`a search that found you`,
  read_notes: msg`your history`,
  list_bookings: msg`your visits`,
  watch_schedule: msg`a day of visits`,
  read_waiting_list: msg`the waiting list`,
};

function Seen({ subject }: { subject: string }) {
  const { i18n } = useLingui();
  const found = useInfiniteQuery({
    queryKey: ["seen", subject],
    retry: false,
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam }) =>
      answered(
        await api.GET("/v1/me/access-log", {
          params: { query: { limit: 10, ...(pageParam === undefined ? {} : { cursor: pageParam }) } },
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  if (found.isError) return null;
  const items = found.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section className="card" aria-labelledby="seen">
      <h2 id="seen">
        <Trans>Who saw my data</Trans>
      </h2>
      {found.isSuccess && items.length === 0 && (
        <p className="quiet">
          <Trans>No one but you, as far as is known.</Trans>
        </p>
      )}
      <ul className="plain-list">
        {items.map((one, index) => (
          <li key={index} className="session">
            <span>
              <bdi>{say(one.at, HERE, { dateStyle: "medium", timeStyle: "short" })}</bdi>
              {": "}
              {i18n._(roleName(one.role))}, {i18n._(WHAT[one.what] ?? WHAT["read_profile"]!)}
            </span>
          </li>
        ))}
      </ul>
      {found.hasNextPage && (
        <div>
          <button className="button small" type="button" onClick={() => void found.fetchNextPage()}>
            <Trans>Show more</Trans>
          </button>
        </div>
      )}
    </section>
  );
}

function Export() {
  const { i18n } = useLingui();
  const [wrong, setWrong] = useState<ReturnType<typeof msg>>();
  const take = async (format: "json" | "html"): Promise<void> => {
    const answer = await fetch(`/v1/me/export?format=${format}`, {
      headers: { Authorization: `Bearer ${session.token() ?? ""}` },
    });
    if (!answer.ok) {
      const { code } = (await answer.json()) as { code?: string };
      if (code === "reauthentication_required" && (await prove(code))) return take(format);
      return setWrong(wrongOf(code).whole);
    }
    setWrong(undefined);
    const url = URL.createObjectURL(await answer.blob());
    const link = document.createElement("a");
    link.href = url;
    link.download = `slotcast.${format}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  return (
    <section className="card" aria-labelledby="export">
      <h2 id="export">
        <Trans>All my data</Trans>
      </h2>
      <p className="quiet">
        <Trans>Everything that is kept of you, to read or to take to another site.</Trans>
      </p>
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {i18n._(wrong)}
        </p>
      )}
      <div className="row">
        <button className="button" type="button" onClick={() => void take("html")}>
          <Trans>To read (HTML)</Trans>
        </button>
        <button className="button" type="button" onClick={() => void take("json")}>
          <Trans>To take along (JSON)</Trans>
        </button>
      </div>
    </section>
  );
}
