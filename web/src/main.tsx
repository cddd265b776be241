import "./ui/fonts.css";
import "./ui/base.css";
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { openLink } from "./app/links";
import { forgetVisits } from "./app/offline";
import { router } from "./app/router";
import { session } from "./app/session";
import { preferred, speak } from "./i18n";
import { Live } from "./live/hooks";
import { LiveSocket } from "./live/socket";
import { providersQuery } from "./patient/home";
import { forgetHold, keptOffset } from "./patient/holding";

const RELOADED = "slotcast.reloaded";
const RELOAD_EVERY_MS = 60_000;

openLink();
const live = new LiveSocket(`${location.origin.replace(/^http/, "ws")}/v1/live`);
live.clockOffset = keptOffset;
session.watch(() => live.authenticate(session.token()));
live.onExpired = () => void session.refresh();

const queries = new QueryClient({
  defaultOptions: { queries: { staleTime: 30_000, retry: 2, refetchOnWindowFocus: false } },
});
session.onLeave(() => {
  queries.clear();
  live.forget();
  forgetHold();
  void forgetVisits();
});

addEventListener("vite:preloadError", () => {
  // A newer app was put in place of this one, whose files are gone: begin again with it, which
  // keeps a hold. Once only: without a line the file is missing after that too, and the page says so.
  const last = Number(sessionStorage.getItem(RELOADED) ?? 0);
  if (!navigator.onLine || Date.now() - last < RELOAD_EVERY_MS) return;
  // A line that was cut looks the same, and beginning again would end in the browser's error page.
  fetch("/", { method: "HEAD" }).then(
    (answer) => {
      if (!answer.ok) return;
      sessionStorage.setItem(RELOADED, String(Date.now()));
      location.reload();
    },
    () => undefined,
  );
});

void session.begin();
if (location.pathname === "/") {
  // Asked for while the sentences are still on their way.
  const given = new URLSearchParams(location.search);
  void queries.prefetchQuery(providersQuery(Object.fromEntries(given)));
}
await speak(preferred());
createRoot(document.getElementById("app")!).render(
  <StrictMode>
    <I18nProvider i18n={i18n}>
      <QueryClientProvider client={queries}>
        <Live.Provider value={live}>
          <RouterProvider router={router} />
        </Live.Provider>
      </QueryClientProvider>
    </I18nProvider>
  </StrictMode>,
);
