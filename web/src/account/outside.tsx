import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api } from "../app/api";
import { session } from "../app/session";
import { HERE, say } from "../app/time";
import { Icon } from "../ui/icons";
import { speakOut } from "../ui/spoken";
import { wrongOf, type Wrong } from "./form";

/** What a page is told when the browser comes back from an identity provider. */
export interface Returned {
  error?: string;
  linked?: string;
  proved?: string;
  status?: string;
  flow?: string;
  factors?: string;
}

const NAMES = ["error", "linked", "proved", "status", "flow", "factors"] as const;
const returned: Returned = {};
for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
  if (NAMES.some((one) => one === name)) returned[name as keyof Returned] = value;
}
// A flow's name must not stay in the address and in the browser's history.
if (Object.keys(returned).length > 0) history.replaceState(history.state, "", location.pathname + location.search);

/** What the provider's answer was; the same until the page is loaded again. */
export const cameBack = (): Returned => returned;

/** That the person called this their own device before they left, as this tab remembers it. */
const OWN = "slotcast.own";
const wasOwn = sessionStorage.getItem(OWN) !== null;
sessionStorage.removeItem(OWN);

/** Whether the person who came back had called this their own device. */
export const leftOwnDevice = (): boolean => wasOwn;

function useProviders() {
  return useQuery({
    queryKey: ["oidc"],
    staleTime: Infinity,
    retry: false,
    queryFn: async () => answered(await api.GET("/v1/auth/oidc")).items,
  });
}

/** Ways to sign in that other sites offer; nothing where this site has none. */
export function ProviderButtons({ then, isRemembered }: { then: string | undefined; isRemembered: () => boolean }) {
  const { i18n } = useLingui();
  const found = useProviders();
  if (found.data === undefined || found.data.length === 0) return null;
  const leave = (name: string) => {
    const back = then === undefined ? "/login" : `/login?then=${encodeURIComponent(then)}`;
    const isOwn = isRemembered();
    // Where a second step follows, the way back finds no session yet, and what this browser keeps
    // of an earlier one is forgotten: this tab remembers what was ticked.
    if (isOwn) sessionStorage.setItem(OWN, "yes");
    const query = new URLSearchParams({ return_to: back, language: i18n.locale, remember: String(isOwn) });
    session.leaveFor();
    location.assign(`/v1/auth/oidc/${encodeURIComponent(name)}/start?${query}`);
  };
  return (
    <div className="stack tight">
      {found.data.map(({ name, title }) => (
        <button key={name} className="button" type="button" onClick={() => leave(name)}>
          <Icon name="on" />
          <span>
            <Trans>
              Go on with <bdi>{title}</bdi>
            </Trans>
          </span>
        </button>
      ))}
    </div>
  );
}

/** In the settings: what is linked, and what can be. */
export function Providers() {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const providers = useProviders();
  const linked = useQuery({
    queryKey: ["identities"],
    queryFn: async () => answered(await api.GET("/v1/auth/identities")).items,
  });
  const [wrong, setWrong] = useState<Wrong | undefined>(() => {
    const { error } = cameBack();
    return error === undefined ? undefined : wrongOf(error);
  });
  const link = async (provider: string) => {
    const { data, error } = await api.POST("/v1/auth/oidc/{provider}/link", {
      params: { path: { provider } },
      body: { return_to: "/me/settings" },
    });
    if (error !== undefined) return setWrong(wrongOf(error.code));
    location.assign(data.url);
  };
  const unlink = async (identity_id: string) => {
    const { error } = await api.DELETE("/v1/auth/identities/{identity_id}", { params: { path: { identity_id } } });
    if (error !== undefined) return setWrong(wrongOf(error.code));
    setWrong(undefined);
    speakOut(t`The account is no longer linked.`);
    await queries.invalidateQueries({ queryKey: ["identities"] });
  };
  const titleOf = (name: string) => providers.data?.find((one) => one.name === name)?.title ?? name;
  const mine = linked.data ?? [];
  if ((providers.data ?? []).length === 0 && mine.length === 0) return null;
  const others = (providers.data ?? []).filter((one) => !mine.some(({ provider }) => provider === one.name));
  return (
    <section className="card" aria-labelledby="providers">
      <h2 id="providers">
        <Trans>Sign in by another account</Trans>
      </h2>
      {wrong?.whole !== undefined && (
        <p className="notice bad" role="alert">
          {i18n._(wrong.whole)}
        </p>
      )}
      {wrong === undefined && cameBack().proved !== undefined && (
        <p className="notice good" role="status">
          <Trans>It is you. Do now what you wanted to do.</Trans>
        </p>
      )}
      {wrong === undefined && mine.some(({ provider }) => provider === cameBack().linked) && (
        <p className="notice good" role="status">
          <Trans>
            <bdi>{titleOf(cameBack().linked!)}</bdi> is linked. You can sign in by it from now on.
          </Trans>
        </p>
      )}
      <ul className="plain-list">
        {mine.map((one) => (
          <li key={one.identity_id} className="session">
            <div>
              <strong>
                <bdi>{titleOf(one.provider)}</bdi>
              </strong>{" "}
              <bdi>{one.label}</bdi>
              <p className="quiet small">
                <Trans>
                  Since <bdi>{say(one.linked_at, HERE, { dateStyle: "medium" })}</bdi>
                </Trans>
              </p>
            </div>
            <button className="button small" type="button" onClick={() => void unlink(one.identity_id)}>
              <Trans>Unlink</Trans>
            </button>
          </li>
        ))}
      </ul>
      {others.length > 0 && (
        <div className="row">
          {others.map(({ name, title }) => (
            <button key={name} className="button" type="button" onClick={() => void link(name)}>
              <span>
                <Trans>
                  Link <bdi>{title}</bdi>
                </Trans>
              </span>
            </button>
          ))}
        </div>
      )}
    </section>
  );
}
