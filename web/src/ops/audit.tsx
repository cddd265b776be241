import "./ops.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { answered, api } from "../app/api";
import { refusalText } from "../app/refusals";
import { useContextOfSession } from "../app/shell";
import { HERE, say } from "../app/time";
import { ClinicName, ProviderName } from "../desk/names";
import { Gate } from "../ui/gate";
import { isUnproved, Unproved } from "../ui/unproved";

interface Wanted {
  actor?: string;
  person?: string;
  action?: string;
}

/** Addresses of the clinic's people, by account; for others than its administrators there are none. */
function useAddresses(): ReadonlyMap<string, string> {
  const context = useContextOfSession();
  const clinic = context?.role === "clinic_admin" ? context.subject : undefined;
  const found = useQuery({
    queryKey: ["members", clinic],
    enabled: clinic !== undefined,
    retry: false,
    queryFn: async () =>
      answered(await api.GET("/v1/clinics/{clinic_id}/members", { params: { path: { clinic_id: clinic! } } })).items,
  });
  return new Map((found.data ?? []).map((one) => [one.account_id, one.email]));
}

/**
 * A name above the id that the search takes. Patients' names are not looked up: each look would be
 * an entry of this trail.
 */
function Named({ id, emails }: { id: string; emails: ReadonlyMap<string, string> }) {
  const email = emails.get(id);
  const name = id.startsWith("prv_") ? (
    <ProviderName id={id} without="" />
  ) : id.startsWith("cln_") ? (
    <ClinicName id={id} />
  ) : email === undefined ? undefined : (
    <bdi>{email}</bdi>
  );
  return (
    <>
      {name}
      <bdi className={name === undefined ? undefined : "named-id quiet small"}>{id}</bdi>
    </>
  );
}

/** The audit trail: searched, and proved to be whole. */
export function AuditPage() {
  return (
    <Gate>
      <Audit />
    </Gate>
  );
}

function Audit() {
  const { t, i18n } = useLingui();
  const [wanted, setWanted] = useState<Wanted>({});
  const [verdict, setVerdict] = useState<{ ok: boolean; text: string }>();
  const found = useInfiniteQuery({
    queryKey: ["audit", wanted],
    retry: false,
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam }) =>
      answered(
        await api.GET("/v1/audit", {
          params: {
            query: { ...wanted, limit: 50, ...(pageParam === undefined ? {} : { cursor: pageParam }) },
          },
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const search = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const entries = [...new FormData(event.currentTarget)].map(([name, value]) => [name, String(value).trim()]);
    setWanted(Object.fromEntries(entries.filter(([, value]) => value !== "")) as Wanted);
  };
  const verify = async () => {
    const { data, error } = await api.GET("/v1/audit/verify");
    if (error !== undefined) return setVerdict({ ok: false, text: i18n._(refusalText(error.code)) });
    const { ok, entries, first_bad: bad } = data;
    setVerdict({
      ok,
      text: ok
        ? t`The trail is whole: ${entries} entries, nothing was changed or taken out.`
        : t`The trail was changed: ${JSON.stringify(bad)}`,
    });
  };
  const emails = useAddresses();
  const items = found.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <div className="stack">
      <div className="row between">
        <h1>
          <Trans>Audit trail</Trans>
        </h1>
        <button className="button" type="button" onClick={() => void verify()}>
          <Trans>Verify it</Trans>
        </button>
      </div>
      {verdict !== undefined && (
        <p className={verdict.ok ? "notice good" : "notice bad"} role="status">
          {verdict.text}
        </p>
      )}
      <form className="card row ends" role="search" onSubmit={search}>
        {(
          [
            ["actor", t`Who acted`],
            ["person", t`About whom`],
            ["action", t`Action`],
          ] as const
        ).map(([name, label]) => (
          <div key={name} className="field">
            <label htmlFor={`audit-${name}`}>{label}</label>
            <input id={`audit-${name}`} name={name} className="input" autoComplete="off" />
          </div>
        ))}
        <button className="button primary" type="submit">
          <Trans>Search</Trans>
        </button>
      </form>
      <Unproved error={found.error} onAgain={() => found.refetch()} />
      {found.isError && !isUnproved(found.error) && (
        <p className="notice bad" role="alert">
          <Trans>You may not read this trail, or it could not be read.</Trans>
        </p>
      )}
      {found.isSuccess && items.length === 0 && (
        <p className="card">
          <Trans>Nothing found.</Trans>
        </p>
      )}
      {items.length > 0 && (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls: the keyboard must reach it
        <div className="card scroll" tabIndex={0} role="group" aria-label={t`Entries`}>
          <table>
            <thead>
              <tr>
                <th scope="col"><Trans>When</Trans></th>
                <th scope="col"><Trans>Who acted</Trans></th>
                <th scope="col"><Trans>Action</Trans></th>
                <th scope="col"><Trans>About whom</Trans></th>
              </tr>
            </thead>
            <tbody>
              {items.map((one) => (
                <tr key={`${one.tenant} ${one.seq}`}>
                  <td><bdi>{say(one.at, HERE, { dateStyle: "medium", timeStyle: "medium" })}</bdi></td>
                  <td><Named id={one.actor} emails={emails} /></td>
                  <td lang="en">{one.action.replaceAll("_", " ")}</td>
                  <td><Named id={one.person} emails={emails} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {found.hasNextPage && (
        <button className="button" type="button" onClick={() => void found.fetchNextPage()}>
          <Trans>Show more</Trans>
        </button>
      )}
    </div>
  );
}
