import { Trans } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { useKept } from "../patient/holding";
import { onUpdate, startWorker } from "./worker";

/** Says that a newer app is there. It is never turned over during a hold. */
export function Updates() {
  const kept = useKept();
  const [turn, setTurn] = useState<() => void>();
  useEffect(() => {
    onUpdate((ready) => setTurn(() => ready));
    void startWorker();
  }, []);
  if (turn === undefined || kept !== undefined) return null;
  return (
    <div className="toast" role="status">
      <Trans>A newer version is ready.</Trans>
      <button className="button small" type="button" onClick={turn}>
        <Trans>Update</Trans>
      </button>
    </div>
  );
}
