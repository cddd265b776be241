import "./ops.css";
import { msg } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { answered, api, newKey, Refused, type Schemas } from "../app/api";
import { refusalText } from "../app/refusals";
import { HERE, say } from "../app/time";
import { ClinicName, ProviderName } from "../desk/names";
import { Gate } from "../ui/gate";
import { speakOut } from "../ui/spoken";
import { isUnproved, Unproved } from "../ui/unproved";

type Account = Schemas["AccountAnswer"];
type PlatformRole = "admin" | "auditor";

/** All accounts: found by address, disabled and enabled, made operators or auditors. */
export function UsersPage() {
  return <Gate>{({ subject }) => <Users key={subject} />}</Gate>;
}

function Users() {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const [email, setEmail] = useState("");
  const [wrong, setWrong] = useState<string>();
  const [told, setTold] = useState<string>();
  const found = useInfiniteQuery({
    queryKey: ["accounts", email],
    retry: false,
    initialPageParam: "",
    queryFn: async ({ pageParam }) =>
      email === ""
        ? answered(await api.GET("/v1/accounts", { params: { query: pageParam === "" ? {} : { cursor: pageParam } } }))
        : answered(await api.POST("/v1/accounts/search", { body: { email } })),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const search = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setEmail(String(new FormData(event.currentTarget).get("email") ?? "").trim());
  };
  const settle = async (error: { code: string } | undefined, said: string) => {
    setWrong(error && textOf(error.code));
    if (error === undefined) speakOut(said);
    await queries.invalidateQueries({ queryKey: ["accounts"] });
  };
  const textOf = (code: string | undefined) =>
    code === "last_admin"
      ? t`This is the last operator. Make another one first.`
      : i18n._(refusalText(code));
  const change = async (one: Account) => {
    const asked = { params: { path: { account_id: one.account_id }, header: { "Idempotency-Key": newKey() } } };
    const { error } =
      one.disabled_at === null
        ? await api.POST("/v1/accounts/{account_id}/disable", asked)
        : await api.POST("/v1/accounts/{account_id}/enable", asked);
    await settle(error, one.disabled_at === null ? t`The account is disabled.` : t`The account is enabled.`);
  };
  const signOut = async (one: Account) => {
    const asked = { params: { path: { account_id: one.account_id }, header: { "Idempotency-Key": newKey() } } };
    const { error } = await api.POST("/v1/accounts/{account_id}/sign-out", asked);
    await settle(error, t`The account is signed out everywhere.`);
  };
  const reset = async (one: Account) => {
    const asked = { params: { path: { account_id: one.account_id }, header: { "Idempotency-Key": newKey() } } };
    const { data, error } = await api.POST("/v1/accounts/{account_id}/factors/reset", asked);
    setTold(undefined);
    if (data?.status === "waiting") {
      const due = say(data.due_at, HERE, { dateStyle: "medium", timeStyle: "short" });
      setTold(t`The owner is told. A second operator can do it at once if both of you have been operators for a day, you yourself from ${due} on, with the same button.`);
    }
    await settle(error, data?.status === "done" ? t`The second steps are removed.` : "");
  };
  const turn = async (one: Account, role: PlatformRole, has: boolean) => {
    const path = "/v1/accounts/{account_id}/roles/{role}";
    const params = { path: { account_id: one.account_id, role } };
    const { error } = has
      ? await api.DELETE(path, { params })
      : await api.PUT(path, { params: { ...params, header: { "Idempotency-Key": newKey() } } });
    await settle(error, has ? t`The role is taken back.` : t`The role is given.`);
  };
  const items = found.data?.pages.flatMap((one) => one.items) ?? [];
  return (
    <div className="stack">
      <h1>
        <Trans>Users</Trans>
      </h1>
      <form className="row ends card" role="search" onSubmit={search}>
        <div className="field grow">
          <label htmlFor="user-email">
            <Trans>E-mail address (exactly; empty for all)</Trans>
          </label>
          <input id="user-email" name="email" type="email" className="input" autoComplete="off" />
        </div>
        <button className="button primary" type="submit">
          <Trans>Find</Trans>
        </button>
      </form>
      <Unproved error={found.error} onAgain={() => found.refetch()} />
      {(wrong !== undefined || (found.isError && !isUnproved(found.error))) && (
        <p className="notice bad" role="alert">
          {wrong ?? textOf(found.error instanceof Refused ? found.error.code : undefined)}
        </p>
      )}
      {told !== undefined && (
        <p className="notice" role="status">
          {told}
        </p>
      )}
      {found.isSuccess && items.length === 0 && (
        <p className="card" role="status">
          <Trans>There is no account with this address.</Trans>
        </p>
      )}
      <ul className="plain-list stack" aria-busy={found.isPending}>
        {items.map((one) => (
          <User
            key={one.account_id}
            account={one}
            onChange={() => void change(one)}
            onSignOut={() => void signOut(one)}
            onReset={() => void reset(one)}
            onTurn={(role, has) => void turn(one, role, has)}
          />
        ))}
      </ul>
      {found.hasNextPage && (
        <button className="button" type="button" disabled={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
          <Trans>Show more</Trans>
        </button>
      )}
    </div>
  );
}

interface UserProps {
  account: Account;
  onChange: () => void;
  onSignOut: () => void;
  onReset: () => void;
  onTurn: (role: PlatformRole, has: boolean) => void;
}

function User({ account, onChange, onSignOut, onReset, onTurn }: UserProps) {
  const { t } = useLingui();
  const name = account.email;
  // A context is named by its role and what it is for: of an auditor, the clinic or the whole site.
  const isAdmin = account.roles.some((one) => one.startsWith("admin "));
  const isAuditor = account.roles.includes("auditor site");
  return (
    <li className="card stack tight">
      <h2>
        <bdi>{name}</bdi>{" "}
        {account.disabled_at !== null && (
          <span className="chip warn">
            <Trans>disabled</Trans>
          </span>
        )}
      </h2>
      <p className="quiet small">
        <Trans>
          Since <bdi>{say(account.created_at, HERE, { dateStyle: "medium" })}</bdi>
        </Trans>
        {account.roles.map((role) => (
          <span key={role}>
            {" · "}
            <RoleName role={role} />
          </span>
        ))}
      </p>
      <div className="row">
        <button
          className="button small"
          type="button"
          aria-label={account.disabled_at === null ? t`Disable ${name}` : t`Enable ${name}`}
          onClick={onChange}
        >
          {account.disabled_at === null ? <Trans>Disable</Trans> : <Trans>Enable</Trans>}
        </button>
        <button className="button small" type="button" aria-label={t`Sign out everywhere: ${name}`} onClick={onSignOut}>
          <Trans>Sign out everywhere</Trans>
        </button>
        <button className="button small" type="button" aria-label={t`Remove second steps: ${name}`} onClick={onReset}>
          <Trans>Remove second steps</Trans>
        </button>
        <button className="button small" type="button" onClick={() => onTurn("admin", isAdmin)}>
          {isAdmin ? <Trans>Take back: operator</Trans> : <Trans>Make an operator</Trans>}
        </button>
        <button className="button small" type="button" onClick={() => onTurn("auditor", isAuditor)}>
          {isAuditor ? <Trans>Take back: auditor</Trans> : <Trans>Make an auditor</Trans>}
        </button>
      </div>
    </li>
  );
}

const ROLES: Record<string, ReturnType<typeof msg>> = {
  patient: msg`patient`,
  guardian: msg`acts for a patient`,
  doctor: msg`doctor`,
  staff: msg`reception`,
  clinic_admin: msg`administration`,
  admin: msg`operator`,
  auditor: msg`auditor`,
};

/**
 * A context, as "doctor prv_7": what it is for by its name. Patients are not the platform's to know,
 * nor whom emergency access opened.
 */
function RoleName({ role }: { role: string }) {
  const { i18n } = useLingui();
  const [name = "", subject = "", scope = ""] = role.split(" ");
  const said = ROLES[name];
  return (
    <bdi>
      {said === undefined ? name : i18n._(said)}
      {subject.startsWith("prv_") && (
        <>
          : <ProviderName id={subject} />
        </>
      )}
      {subject.startsWith("cln_") && (
        <>
          : <ClinicName id={subject} />
        </>
      )}
      {scope.startsWith("glass:") && (
        <>
          {" "}
          (<Trans>emergency access</Trans>)
        </>
      )}
    </bdi>
  );
}
