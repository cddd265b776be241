/** For tests: a part of a page, what it asks of the server, and what it is answered. */
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, vi } from "vitest";
import { session, type Context } from "../app/session";
import { Live } from "../live/hooks";
import type { LiveSocket } from "../live/socket";

export interface Asked {
  /** Method and path, without the query. */
  what: string;
  query: string;
  key: string | null;
  body: unknown;
}

/** An answer; undefined: the line broke, and none came. */
type Answer = { status: number; body: unknown } | undefined;

export const ok = (body: unknown = {}, status = 200): Answer => ({ status, body });
export const refused = (code: string, status = 409): Answer => ({ status, body: { code } });
export const LOST: Answer = undefined;

/** Answers by method and path: one after another, the last again and again. */
type Answers = Record<string, Answer[]>;

class Stage {
  asked: Asked[] = [];
  answers: Answers = {};
  /** The views of topics, as the live socket keeps them. */
  views = new Map<string, unknown>();
  /** Why topics are not sent. */
  refusals = new Map<string, string>();
  private root: Root | undefined;

  async show(page: ReactNode): Promise<void> {
    const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
    const route = createRootRoute({ component: () => page });
    const router = createRouter({ routeTree: route, history: createMemoryHistory({ initialEntries: ["/"] }) });
    this.root = createRoot(document.body.appendChild(document.createElement("div")));
    const live = {
      link: "live",
      clockOffset: 0,
      watch: () => () => undefined,
      watchSlot: () => () => undefined,
      watchLink: () => () => undefined,
      view: (name: string) => this.views.get(name),
      refusal: (name: string) => this.refusals.get(name),
      command: () => Promise.reject(new Error("the line is not used")),
    } as unknown as LiveSocket;
    await act(async () => {
      await router.load();
      this.root?.render(
        <I18nProvider i18n={i18n}>
          <QueryClientProvider client={queries}>
            <Live.Provider value={live}>
              <RouterProvider router={router as never} />
            </Live.Provider>
          </QueryClientProvider>
        </I18nProvider>,
      );
    });
    await this.settle();
  }

  /** Until what is loaded and answered is shown. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 6; turn += 1) await act(async () => new Promise((done) => setTimeout(done)));
  }

  /** The element of this kind with these words, the last of several: dialogs come last. */
  find(words: string, kind = "button, a"): HTMLElement {
    const found = [...document.querySelectorAll<HTMLElement>(kind)].filter((one) => one.textContent?.includes(words));
    const one = found.at(-1);
    if (one === undefined) throw new Error(`there is no “${words}” in: ${document.body.textContent}`);
    return one;
  }

  async press(selector: string): Promise<void> {
    await act(async () => document.querySelector<HTMLElement>(selector)!.click());
    await this.settle();
  }

  async click(words: string): Promise<void> {
    await act(async () => this.find(words).click());
    await this.settle();
  }

  /** Type into the field with this id. */
  async fill(id: string, value: string): Promise<void> {
    const field = document.getElementById(id) as HTMLInputElement | HTMLTextAreaElement;
    const kind = field instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
    await act(async () => {
      Object.getOwnPropertyDescriptor(kind.prototype, "value")!.set!.call(field, value);
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }

  /** What was asked by this method and path. */
  of(what: string): Asked[] {
    return this.asked.filter((one) => one.what === what);
  }

  alert = () => document.querySelector("[role=alert]")?.textContent ?? "";
  hasDialog = () => document.querySelector("dialog") !== null;

  begin(context: Context | undefined): void {
    this.asked = [];
    this.answers = {};
    this.views = new Map();
    this.refusals = new Map();
    vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
    vi.stubGlobal("scrollTo", () => undefined);
    vi.spyOn(session, "context").mockReturnValue(context);
    session.ready = true;
    HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
      this.open = true;
    };
    HTMLDialogElement.prototype.close ??= function (this: HTMLDialogElement) {
      this.open = false;
    };
    vi.stubGlobal("fetch", async (address: string, init: { method: string; headers: Headers; body?: string }) => {
      const [path, query = ""] = address.split("?");
      const what = `${init.method} ${path}`;
      const body = init.body === undefined ? undefined : (JSON.parse(init.body) as unknown);
      this.asked.push({ what, query, key: init.headers.get("Idempotency-Key"), body });
      const given = this.answers[what] ?? [refused("not_found", 404)];
      const answer = given.length > 1 ? given.shift() : given[0];
      if (answer === undefined) throw new TypeError("Failed to fetch");
      return Response.json(answer.body, { status: answer.status });
    });
    i18n.loadAndActivate({ locale: "en", messages: {} });
  }

  async end(): Promise<void> {
    await act(async () => this.root?.unmount());
    document.body.replaceChildren();
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  }
}

/** A stage for each test of a file, on which this person is signed in. */
export function staged(context?: Context): Stage {
  const stage = new Stage();
  beforeEach(() => stage.begin(context));
  afterEach(() => stage.end());
  return stage;
}
