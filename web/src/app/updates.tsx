import { Trans } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { onUpdate, startWorker } from "./worker";

/** Says that a newer app is there. Turning to it keeps a hold, and what was typed with it. */
export function Updates() {
  const [turn, setTurn] = useState<() => void>();
  useEffect(() => {
    onUpdate((ready) => setTurn(() => ready));
    void startWorker();
  }, []);
  if (turn === undefined) return null;
  return (
    <div className="toast" role="status">
      <Trans>A newer version is ready.</Trans>
      <button className="button small" type="button" onClick={turn}>
        <Trans>Update</Trans>
      </button>
    </div>
  );
}
