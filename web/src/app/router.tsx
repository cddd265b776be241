import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from "@tanstack/react-router";
import { Home } from "../patient/home";
import { Shell } from "./shell";

const root = createRootRoute({ component: Shell });

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: (given: Record<string, unknown>): { q?: string; specialty?: string } => {
    const found: { q?: string; specialty?: string } = {};
    if (typeof given["q"] === "string" && given["q"] !== "") found.q = given["q"];
    if (typeof given["specialty"] === "string" && given["specialty"] !== "") {
      found.specialty = given["specialty"];
    }
    return found;
  },
  component: Home,
});

interface ProviderSearch {
  type?: string;
  week?: string;
  view?: "week" | "list";
  moving?: string;
}

const provider = createRoute({
  getParentRoute: () => root,
  path: "/p/$provider",
  validateSearch: (given: Record<string, unknown>): ProviderSearch => {
    const found: ProviderSearch = {};
    for (const name of ["type", "week", "moving"] as const) {
      const value = given[name];
      if (typeof value === "string" && value !== "") found[name] = value;
    }
    if (given["view"] === "list" || given["view"] === "week") found.view = given["view"];
    return found;
  },
  component: lazyRouteComponent(() => import("../patient/provider"), "ProviderPage"),
});

const visits = createRoute({
  getParentRoute: () => root,
  path: "/me/visits",
  component: lazyRouteComponent(() => import("../patient/visits"), "Visits"),
});

const day = createRoute({
  getParentRoute: () => root,
  path: "/desk/day/$provider",
  validateSearch: (given: Record<string, unknown>): { date?: string } =>
    typeof given["date"] === "string" ? { date: given["date"] } : {},
  component: lazyRouteComponent(() => import("../desk/day"), "DayPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([home, provider, visits, day]),
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
