import { Trans, useLingui } from "@lingui/react/macro";
import { Outlet, useLocation, useNavigate, useRouter } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useRef, useSyncExternalStore, type MouseEvent, type ReactNode } from "react";
import { useLink } from "../live/hooks";
import { Icon, type IconName } from "../ui/icons";
import { Spoken } from "../ui/spoken";
import { session } from "./session";
import { patiently } from "./patiently";

export function useContextOfSession() {
  return useSyncExternalStore(
    (tell) => session.watch(tell),
    () => session.context(),
  );
}

/** Whether it is known by now who is here. */
export function useIsReady(): boolean {
  return useSyncExternalStore(
    (tell) => session.watch(tell),
    () => session.ready,
  );
}

/** A plain anchor that the router follows: TanStack's Link costs too much in long lists. */
export function useFollow() {
  const navigate = useNavigate();
  return (event: MouseEvent<HTMLAnchorElement>) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    const { pathname, search, hash } = new URL(event.currentTarget.href);
    void navigate({ href: pathname + search + hash });
  };
}

export interface Place {
  href: string;
  icon: IconName;
  name: ReactNode;
}

/** Rooms of the site in the bar; the one where the person is stands out. */
export function Places({ places }: { places: readonly Place[] }) {
  const follow = useFollow();
  const path = useLocation({ select: (at) => at.pathname });
  return places.map(({ href, icon, name }) => {
    const isHere = href === "/" ? path === "/" || path.startsWith("/p/") : path.startsWith(href);
    return (
      <a key={href} href={href} onClick={follow} aria-current={isHere ? "page" : undefined}>
        <Icon name={icon} />
        <span>{name}</span>
      </a>
    );
  });
}

const PLACES: readonly Place[] = [
  { href: "/", icon: "search", name: <Trans>Find a time</Trans> },
  { href: "/me/visits", icon: "visits", name: <Trans>My visits</Trans> },
];

// Each waits for the sentences of its room by itself.
const StaffPlaces = lazy(patiently(() => import("../desk/places")));
const AccountMenu = lazy(patiently(() => import("../account/menu")));
const IdleGuard = lazy(patiently(() => import("../account/idle")));
const Updates = lazy(patiently(async () => ({ default: (await import("./updates")).Updates })));

export function Shell() {
  const { t } = useLingui();
  const context = useContextOfSession();
  const follow = useFollow();
  const path = useLocation({ select: (at) => at.pathname });
  useFocusOfPage(path);
  const isStaff = context !== undefined && context.role !== "patient" && context.role !== "guardian";
  return (
    <>
      <a className="skip" href="#main">
        <Trans>Skip to the content</Trans>
      </a>
      <header className="bar">
        <a className="brand" href="/" onClick={follow}>
          <img src="/icon.svg" alt="" width="28" height="28" />
          Slotcast
        </a>
        <nav className="places" aria-label={t`Main`}>
          {isStaff ? (
            <Suspense fallback={null}>
              <StaffPlaces context={context} />
            </Suspense>
          ) : (
            <Places places={PLACES} />
          )}
        </nav>
        <div className="corner">
          <LinkState />
          {context === undefined ? (
            <a className="button" href="/login" onClick={follow}>
              <Trans>Sign in</Trans>
            </a>
          ) : (
            <Suspense fallback={<AccountRoom />}>
              <AccountMenu />
            </Suspense>
          )}
        </div>
      </header>
      <main id="main" className="page" tabIndex={-1}>
        <Outlet />
      </main>
      <Spoken />
      <Suspense fallback={null}>
        <Updates />
        {isStaff && <IdleGuard />}
      </Suspense>
    </>
  );
}

/** A new page is announced by its heading: focus goes there, unless the page set it itself. */
function useFocusOfPage(path: string): void {
  const before = useRef(path);
  const router = useRouter();
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    return router.subscribe("onRendered", () => {
      const main = document.getElementById("main");
      if (document.querySelector("dialog[open]") !== null || main?.contains(document.activeElement) === true) return;
      main?.focus({ preventScroll: true });
    });
  }, [path, router]);
}

/** The account's button until its menu is here: the same room. */
function AccountRoom() {
  return (
    <span className="account" aria-hidden="true">
      <span className="avatar small-avatar">
        <Icon name="person" />
      </span>
      <span className="account-words" />
    </span>
  );
}

function LinkState() {
  const link = useLink();
  return (
    <span className="link-state" data-link={link} role="status">
      {link === "live" ? (
        <Trans>Live</Trans>
      ) : link === "connecting" ? (
        <Trans>Connecting</Trans>
      ) : (
        <Trans>Interrupted</Trans>
      )}
    </span>
  );
}
