/** Registers the service worker and tells when a newer one waits, or has taken over elsewhere. */

/** The one address that may become a script of ours; the page's policy asks for it. */
const WORKER = "/sw.js";
const ASK_EVERY_MS = 60 * 60_000;

interface Policies {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): {
    createScriptURL(url: string): unknown;
  };
}

let told: (turn: () => void) => void = () => undefined;

/** Called with how to turn to a newer app, once one is there. */
export function onUpdate(tell: (turn: () => void) => void): void {
  told = tell;
}

export async function startWorker(): Promise<void> {
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return;
  // Some private windows refuse workers: the app goes on without one.
  const registration = await navigator.serviceWorker.register(trusted() as string).catch(() => undefined);
  if (registration === undefined) return;
  if (registration.waiting !== null) waits(registration.waiting);
  comes(registration.installing);
  registration.addEventListener("updatefound", () => comes(registration.installing));
  askAtTimes(registration);
}

function comes(worker: ServiceWorker | null): void {
  // Without a controller this is the first worker: the page is as new as it is.
  worker?.addEventListener("statechange", () => {
    if (worker.state === "installed" && navigator.serviceWorker.controller !== null) waits(worker);
  });
}

function waits(worker: ServiceWorker): void {
  told(() => {
    // Another tab may have turned to it already: then this page alone is old.
    if (worker.state !== "installed") return location.reload();
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload());
    worker.postMessage("turn over");
  });
}

/** A page that stays open for days asks for a newer app when a person comes back to it. */
function askAtTimes(registration: ServiceWorkerRegistration): void {
  let last = Date.now();
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden" || Date.now() - last < ASK_EVERY_MS) return;
    last = Date.now();
    // Without a line there is nothing newer to be had.
    void registration.update().catch(() => undefined);
  });
}

function trusted(): unknown {
  const policies = (globalThis as { trustedTypes?: Policies }).trustedTypes;
  if (policies === undefined) return WORKER;
  return policies
    .createPolicy("slotcast", {
      createScriptURL: (url) => {
        if (url !== WORKER) throw new TypeError(`${url} is no script of ours.`);
        return url;
      },
    })
    .createScriptURL(WORKER);
}
