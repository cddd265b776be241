import "@fontsource-variable/inter/index.css";
import "./ui/base.css";
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { router } from "./app/router";
import { session } from "./app/session";
import { preferred, speak } from "./i18n";
import { Live } from "./live/hooks";
import { LiveSocket } from "./live/socket";

const live = new LiveSocket(`${location.origin.replace(/^http/, "ws")}/v1/live`);
session.watch(() => live.authenticate(session.token()));

const queries = new QueryClient({
  defaultOptions: { queries: { staleTime: 30_000, retry: 2, refetchOnWindowFocus: false } },
});

void session.refresh();
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
