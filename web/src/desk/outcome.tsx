import { Trans, useLingui } from "@lingui/react/macro";
import { useCallback, useState } from "react";
import { refusalText } from "../app/refusals";
import type { Booking } from "../live/frames";
import { speakOut } from "../ui/spoken";
import { act, type Act } from "./visit";
import type { Told } from "./toast";

/**
 * Says what becomes of visits; the foot of the page offers to undo it for a while. `onAct` tells
 * the sentence of a refusal, undefined if it was done.
 */
export function useOutcomes() {
  const { t, i18n } = useLingui();
  const [told, setTold] = useState<Told>();
  const onAct = async (visit: Booking, what: Act): Promise<string | undefined> => {
    const code = await act(visit, what);
    if (code !== undefined) return i18n._(refusalText(code));
    if (what === "undo") {
      speakOut(t`Undone.`);
      setTold({ text: <Trans>Undone.</Trans> });
      return undefined;
    }
    speakOut(what === "check-in" ? t`Arrived.` : what === "complete" ? t`Done.` : t`Did not come.`);
    setTold({
      text: what === "check-in" ? <Trans>Arrived.</Trans> : what === "complete" ? <Trans>Done.</Trans> : <Trans>Did not come.</Trans>,
      action: { name: <Trans>Undo</Trans>, run: () => void onAct(visit, "undo").then(onRefused) },
    });
    return undefined;
  };
  const onRefused = (text: string | undefined) => {
    if (text === undefined) return;
    setTold({ text });
    speakOut(text);
  };
  const onEnd = useCallback(() => setTold(undefined), []);
  return { told, setTold, onAct, onRefused, onEnd };
}
