import { Trans } from "@lingui/react/macro";
import { lazy, Suspense, useEffect, useState } from "react";
import { useOffered } from "../waiting/offered";
import { useContextOfSession } from "./shell";
import { onUpdate, startWorker } from "./worker";
import { patiently } from "./patiently";

const OfferBanner = lazy(patiently(() => import("../waiting/banner")));

/** What the waiting list offers, on whatever page a patient is. */
function Offered() {
  if (useOffered() === "") return null;
  return (
    <Suspense fallback={null}>
      <OfferBanner />
    </Suspense>
  );
}

/** Says that a newer app is there. Turning to it keeps a hold, and what was typed with it. */
export function Updates() {
  const [turn, setTurn] = useState<() => void>();
  const role = useContextOfSession()?.role;
  useEffect(() => {
    onUpdate((ready) => setTurn(() => ready));
    void startWorker();
  }, []);
  return (
    <>
      {(role === "patient" || role === "guardian") && <Offered />}
      {turn !== undefined && (
        <div className="toast" role="status">
          <Trans>A newer version is ready.</Trans>
          <button className="button small" type="button" onClick={turn}>
            <Trans>Update</Trans>
          </button>
        </div>
      )}
    </>
  );
}
