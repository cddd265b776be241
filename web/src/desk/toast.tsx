import { useEffect, type ReactNode } from "react";

/** How long something can be undone from the foot of the page. */
const SHOWN_MS = 10_000;

export interface Told {
  text: ReactNode;
  action?: { name: ReactNode; run: () => void };
}

/** At the foot of the page. Who shows it says it too: what appears is not read out by itself. */
export function Toast({ told, onEnd }: { told: Told | undefined; onEnd: () => void }) {
  useEffect(() => {
    if (told === undefined) return;
    const timer = setTimeout(onEnd, SHOWN_MS);
    return () => clearTimeout(timer);
  }, [told, onEnd]);
  if (told === undefined) return null;
  return (
    <div className="toast">
      <span>{told.text}</span>
      {told.action !== undefined && (
        <button
          className="button small"
          type="button"
          onClick={() => {
            told.action?.run();
            onEnd();
          }}
        >
          {told.action.name}
        </button>
      )}
    </div>
  );
}
