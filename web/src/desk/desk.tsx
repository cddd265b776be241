import "./desk.css";
import { Trans } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { answered, api, type Provider } from "../app/api";
import { useContextOfSession, useIsReady } from "../app/shell";
import { PleaseSignIn } from "../ui/please";

/** A page of one provider's desk: for those who are signed in as staff. */
export function Desk({ provider, children }: { provider: string; children: (found: Provider) => ReactNode }) {
  const context = useContextOfSession();
  const isReady = useIsReady();
  const found = useQuery({
    queryKey: ["provider", provider],
    queryFn: async () =>
      answered(
        await api.GET("/v1/providers/{provider_id}", { params: { path: { provider_id: provider } } }),
      ),
  });
  if (!isReady) return <div className="card page-room" aria-busy="true" />;
  if (context === undefined) return <PleaseSignIn />;
  if (found.isError || context.role === "patient") {
    return (
      <p className="notice bad" role="alert">
        <Trans>This desk is not yours, or could not be loaded.</Trans>
      </p>
    );
  }
  if (found.data === undefined) return <div className="card page-room" aria-busy="true" />;
  return children(found.data);
}
