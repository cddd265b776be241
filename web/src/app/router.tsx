import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from "@tanstack/react-router";
import { enter, type Room } from "../i18n";
import { Home, WANTED } from "../patient/home";
import { NotFound, NotLoaded } from "./missing";
import { Shell } from "./shell";

const root = createRootRoute({ component: Shell });

type Given = Record<string, unknown>;

/** The search parameters of these names that say something. */
function texts<Name extends string>(...names: Name[]): (given: Given) => Partial<Record<Name, string>> {
  return (given) => {
    const found: Partial<Record<Name, string>> = {};
    for (const name of names) {
      const value = given[name];
      if (typeof value === "string" && value !== "") found[name] = value;
    }
    return found;
  };
}

/** A page of rooms: its code and their sentences are loaded when it is opened. */
function page<T extends Record<string, unknown>, Name extends string & keyof T>(
  rooms: Room | Room[],
  load: () => Promise<T>,
  name: Name,
) {
  return lazyRouteComponent(async () => {
    const [module] = await Promise.all([load(), ...[rooms, "later" as const].flat().map(enter)]);
    return module as never;
  }, name as never);
}

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: texts(...WANTED),
  component: Home,
});

interface ProviderSearch {
  type?: string;
  week?: string;
  at?: string;
  view?: "week" | "list";
  moving?: string;
}

const provider = createRoute({
  getParentRoute: () => root,
  path: "/p/$provider",
  validateSearch: (given: Given): ProviderSearch => {
    const view = given["view"];
    return {
      ...texts("type", "week", "moving", "at")(given),
      ...(view === "list" || view === "week" ? { view } : {}),
    };
  },
  component: lazyRouteComponent(() => import("../patient/provider"), "ProviderPage"),
});

const visits = createRoute({
  getParentRoute: () => root,
  path: "/me/visits",
  component: page("later", () => import("../patient/visits"), "Visits"),
});

const offer = createRoute({
  getParentRoute: () => root,
  path: "/me/offer",
  component: page("waiting", () => import("../waiting/offer"), "OfferPage"),
});

const choose = () => import("../account/choose");
const offices = () => import("./offices");
const signing = () => import("../account/signing");
const notices = () => import("../account/notices");
const settings = page("account", () => import("../account/settings"), "SettingsPage");
const account = [
  createRoute({
    getParentRoute: () => root,
    path: "/login",
    validateSearch: texts("then"),
    component: page("account", signing, "LoginPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/join",
    component: page("account", signing, "JoinPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/verify-email",
    component: page("account", signing, "VerifyPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/forgot-password",
    component: page("account", signing, "ForgotPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/reset-password",
    component: page("account", signing, "ResetPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/me/settings",
    component: settings,
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/sessions",
    component: settings,
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/security",
    component: settings,
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/invitation",
    component: page("account", () => import("../account/invitation"), "InvitationPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/me/notices",
    component: page("account", notices, "NoticesPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/me/feeds",
    component: page("account", () => import("../account/feeds"), "FeedsPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/unsubscribe",
    component: page("account", notices, "UnsubscribePage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/choose",
    component: page("account", choose, "ChoosePage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/me/visits/$booking",
    component: page("account", choose, "InsteadPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/me/applications",
    component: page("account", () => import("../account/apply"), "ApplyPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/demo/messages",
    component: page("account", () => import("../account/messages"), "MessagesPage"),
  }),
];

const desk = [
  createRoute({
    getParentRoute: () => root,
    path: "/desk/day/$provider",
    validateSearch: texts("date", "view"),
    component: page("desk", async () => (await offices()).day(), "DayPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/desk/waiting/$provider",
    component: page("desk", async () => (await offices()).waiting(), "WaitingPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/desk/list/$provider",
    component: page(["desk", "waiting"], async () => (await offices()).list(), "ListPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/desk/hours/$provider",
    component: page("desk", async () => (await offices()).hours(), "HoursPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/desk/leave/$provider",
    validateSearch: texts("queue"),
    component: page("desk", async () => (await offices()).leave(), "LeavePage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/desk/room/$room/$view",
    validateSearch: texts("date"),
    component: page("desk", async () => (await offices()).room(), "RoomPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/desk/entry/$provider",
    component: page(["clinic", "desk"], () => import("../clinic/entry"), "EntryPage"),
  }),
];

const clinic = createRoute({
  getParentRoute: () => root,
  path: "/clinic",
  validateSearch: texts("clinic"),
  component: page("clinic", async () => (await offices()).clinic(), "ClinicPage"),
});
const clinicPart = createRoute({
  getParentRoute: () => root,
  path: "/clinic/$part",
  validateSearch: texts("clinic"),
  component: page(["clinic", "desk"], async () => (await offices()).clinicPart(), "ClinicPart"),
});
const glass = createRoute({
  getParentRoute: () => root,
  path: "/clinics/$clinic/glass",
  component: page("clinic", async () => (await offices()).glass(), "GlassPage"),
});

const ops = [
  createRoute({
    getParentRoute: () => root,
    path: "/clinic/reports",
    component: page("reports", async () => (await offices()).reports(), "ReportsPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/ops/users",
    component: page("ops", async () => (await offices()).users(), "UsersPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/ops/health",
    component: page("ops", async () => (await offices()).health(), "HealthPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/ops/specialties",
    validateSearch: texts("specialty"),
    component: page(["ops", "clinic"], async () => (await offices()).specialties(), "SpecialtiesPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/ops/audit",
    component: page("ops", async () => (await offices()).audit(), "AuditPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/ops/notices",
    component: page("ops", async () => (await offices()).notices(), "NoticesPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/ops/reviews",
    component: page("reviews", async () => (await offices()).reviews(), "ReviewsPage"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/ops/roles",
    component: page("ops", async () => (await offices()).roles(), "RolesPage"),
  }),
];

export const router = createRouter({
  routeTree: root.addChildren([home, provider, visits, offer, ...account, ...desk, clinic, clinicPart, glass, ...ops]),
  defaultErrorComponent: NotLoaded,
  defaultNotFoundComponent: NotFound,
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
