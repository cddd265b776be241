/**
 * The service worker. Its rules are safety rules:
 * what the server decides (/v1) is never kept and never replayed; a page is asked of the network
 * first, and the kept shell answers only where there is no line; hashed files never change and
 * come from the cache first. A newer worker waits until a person says so in one tab; the files of
 * the builds before it stay, since other tabs may still run them and keep a time for a patient.
 */
declare const self: ServiceWorkerGlobalScope;
declare const __BUILD__: string;
declare const __SHELL__: readonly string[];

const CACHE = `slotcast-${__BUILD__}`;
const PAGE = "/index.html";
/** Builds whose files outlive the turn to a newer one; pages of still older ones load again. */
const EARLIER = 3;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([PAGE, ...__SHELL__])));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      // In the order in which they were made.
      .then((names) => names.filter((name) => name !== CACHE).slice(0, -EARLIER))
      .then((names) => Promise.all(names.map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("message", (event) => {
  if (event.data === "turn over") void self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    if (isPage(pathname)) event.respondWith(fetch(request).catch(() => kept(PAGE)));
  } else if (pathname.startsWith("/assets/")) event.respondWith(asset(request));
  else if (__SHELL__.includes(pathname)) event.respondWith(fetch(request).catch(() => kept(pathname)));
});

interface Told {
  tag?: string;
  title?: string;
  body?: string;
  page?: string;
}

/** A notice: only what the server found fit for a locked screen. A second one of the same tag replaces it. */
self.addEventListener("push", (event) => {
  const told = toldIn(event.data);
  event.waitUntil(
    self.registration.showNotification(told.title ?? "Slotcast", {
      ...(told.body === undefined ? {} : { body: told.body }),
      ...(told.tag === undefined ? {} : { tag: told.tag }),
      icon: "/icon.svg",
      dir: "auto",
      data: told.page,
    }),
  );
});

function toldIn(data: PushMessageData | null): Told {
  try {
    return (data?.json() ?? {}) as Told;
  } catch {
    return {};
  }
}

/** It opens a page of this app, in a window that is open already if there is one. */
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const wanted: unknown = event.notification.data;
  const url = new URL(typeof wanted === "string" ? wanted : "/", self.location.origin);
  if (url.origin === self.location.origin) event.waitUntil(open(url.href));
});

async function open(url: string): Promise<void> {
  const found = await self.clients.matchAll({ type: "window" });
  const [window] = found;
  if (window === undefined) await self.clients.openWindow(url);
  else await (await window.focus()).navigate(url);
}

/** Whether the app answers this address; documents and the API are the server's. */
function isPage(path: string): boolean {
  return !/^\/(v1|docs|metrics|healthz|readyz|openapi\.json|asyncapi\.json)(\/|$)/.test(path);
}

async function asset(request: Request): Promise<Response> {
  // Of whichever build: the name of such a file is its content.
  const found = await caches.match(request);
  if (found !== undefined) return found;
  const fresh = await fetch(request);
  if (fresh.ok) await (await caches.open(CACHE)).put(request, fresh.clone());
  return fresh;
}

async function kept(path: string): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(path)) ?? Response.error();
}

export {};
