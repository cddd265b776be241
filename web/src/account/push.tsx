import { msg } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { answered, api } from "../app/api";
import { speakOut } from "../ui/spoken";

type State = "unknown" | "unable" | "denied" | "off" | "on";

const isAble = () => "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

/** Whether this browser shows notices while the app is closed. */
export function PushSwitch() {
  const { t, i18n } = useLingui();
  const [state, setState] = useState<State>(() => (isAble() ? "unknown" : "unable"));
  const [isBusy, setBusy] = useState(false);
  const [wrong, setWrong] = useState(false);
  useEffect(() => {
    if (isAble()) void stateNow().then(setState);
  }, []);
  const change = async (wanted: boolean) => {
    setBusy(true);
    setWrong(false);
    try {
      setState(wanted ? await turnOn() : await turnOff());
      speakOut(t`Saved.`);
    } catch {
      setWrong(true);
      setState(await stateNow());
    }
    setBusy(false);
  };
  return (
    <div className="stack">
      <label className="check">
        <input
          type="checkbox"
          checked={state === "on"}
          disabled={isBusy || state === "unknown" || state === "unable" || state === "denied"}
          onChange={(event) => void change(event.target.checked)}
        />{" "}
        <Trans>Show notices on this device, also while the app is closed</Trans>
      </label>
      {state in WHY && <p className="quiet small">{i18n._(WHY[state as keyof typeof WHY])}</p>}
      {wrong && (
        <p className="notice bad" role="alert">
          <Trans>This device could not be asked to show notices. Try again later.</Trans>
        </p>
      )}
      <p className="quiet small">
        <Trans>A notice on the screen names neither the practice nor the reason.</Trans>
      </p>
    </div>
  );
}

const WHY = {
  unable: msg`This browser cannot show notices. On an iPhone, add the app to the home screen first.`,
  denied: msg`Notices of this site are blocked in the browser's settings.`,
};

/** What is so by now; what is on is said to the server again, which may have dropped it. */
async function stateNow(): Promise<State> {
  if (Notification.permission === "denied") return "denied";
  const registration = await navigator.serviceWorker.ready;
  const found = await registration.pushManager.getSubscription();
  if (found === null) return "off";
  return (await register(found)) ? "on" : "off";
}

async function turnOn(): Promise<State> {
  if ((await Notification.requestPermission()) !== "granted") return "denied";
  const registration = await navigator.serviceWorker.ready;
  const { public_key } = answered(await api.GET("/v1/push/key"));
  const made = await registration.pushManager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: public_key,
  });
  if (await register(made)) return "on";
  await made.unsubscribe();
  throw new Error("refused");
}

async function turnOff(): Promise<State> {
  const registration = await navigator.serviceWorker.ready;
  const found = await registration.pushManager.getSubscription();
  if (found !== null) {
    await api.POST("/v1/push/unsubscribe", { body: { endpoint: found.endpoint } });
    await found.unsubscribe();
  }
  return "off";
}

async function register(found: PushSubscription): Promise<boolean> {
  const { endpoint, keys } = found.toJSON();
  if (endpoint === undefined || keys === undefined) return false;
  const { response } = await api.POST("/v1/push/subscribe", {
    body: { endpoint, keys: { p256dh: keys["p256dh"] ?? "", auth: keys["auth"] ?? "" } },
  });
  return response.ok;
}
