/** Registers the service worker and tells when a newer one waits. */

/** The one address that may become a script of ours; the page's policy asks for it. */
const WORKER = "/sw.js";

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
  registration.addEventListener("updatefound", () => {
    const coming = registration.installing;
    coming?.addEventListener("statechange", () => {
      if (coming.state === "installed" && navigator.serviceWorker.controller !== null) waits(coming);
    });
  });
}

function waits(worker: ServiceWorker): void {
  told(() => {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload());
    worker.postMessage("turn over");
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
