import "./desk.css";
import { Trans } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { answered, api, type Provider } from "../app/api";
import { say } from "../app/time";
import { Gate } from "../ui/gate";
import { zoneOf } from "./visit";

const EVERY_MS = 60_000;

interface Props {
  provider: string;
  children: (found: Provider) => ReactNode;
}

/** A page of one provider's desk: for those who are signed in as staff. */
export function Desk(props: Props) {
  return <Gate>{({ role }) => <Staffed role={role} {...props} />}</Gate>;
}

function Staffed({ provider, children, role }: Props & { role: string }) {
  const found = useQuery({
    queryKey: ["provider", provider],
    // A page that stays open all day learns that the calendar was suspended, or works again.
    refetchInterval: EVERY_MS,
    queryFn: async () =>
      answered(
        await api.GET("/v1/providers/{provider_id}", { params: { path: { provider_id: provider } } }),
      ),
  });
  // One that was loaded stays, although reading it again fails: a dialog may be open.
  if ((found.isError && found.data === undefined) || role === "patient") {
    return (
      <p className="notice bad" role="alert">
        <Trans>This desk is not yours, or could not be loaded.</Trans>
      </p>
    );
  }
  if (found.data === undefined) return <div className="card page-room" aria-busy="true" />;
  return (
    <>
      {found.data.suspended && <Suspended provider={found.data} />}
      {children(found.data)}
    </>
  );
}

/** Why nothing is booked any more: the doctor and the administration read the reason, others that it is so. */
function Suspended({ provider }: { provider: Provider }) {
  const path = { provider_id: provider.provider_id };
  const found = useQuery({
    queryKey: ["suspension", provider.provider_id],
    retry: false,
    queryFn: async () => answered(await api.GET("/v1/providers/{provider_id}/suspension", { params: { path } })),
  });
  const { since, reason } = found.data ?? {};
  return (
    <section className="notice suspended" role="status">
      <h2>
        <Trans>This calendar is suspended</Trans>
      </h2>
      <p>
        <Trans>Nothing can be booked, and patients do not find it. Visits that are booked stay.</Trans>
        {since != null && (
          <>
            {" "}
            <Trans>
              Since <bdi>{say(since, zoneOf(provider), { dateStyle: "medium", timeStyle: "short" })}</bdi>.
            </Trans>
          </>
        )}
      </p>
      {reason !== undefined && reason !== "" && (
        <p>
          <Trans>Reason:</Trans> <bdi>{reason}</bdi>
        </p>
      )}
    </section>
  );
}
