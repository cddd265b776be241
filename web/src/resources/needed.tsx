import { Trans } from "@lingui/react/macro";
import { useQueryClient } from "@tanstack/react-query";
import type { Provider } from "../app/api";
import { enter } from "../i18n";

// Not shown before its sentences are here.
await enter("account");

/** Why a time may be gone although the doctor is free: the visit needs a room or a device, too. */
export default function Needed({ topic }: { topic: string }) {
  const [, provider, type] = topic.split("/");
  const known = useQueryClient().getQueryData<Provider>(["provider", provider]);
  const kinds = known?.visit_types.find((one) => one.visit_type === type)?.resource_kinds ?? [];
  if (kinds.length === 0) return null;
  return (
    <p>
      {kinds.length > 1 ? (
        <Trans>This visit needs a free room and a device as well: they may have been taken.</Trans>
      ) : kinds[0] === "room" ? (
        <Trans>This visit needs a free room as well: the last one may have been taken.</Trans>
      ) : (
        <Trans>This visit needs a device as well: it may have been taken.</Trans>
      )}
    </p>
  );
}
