// @vitest-environment jsdom
/** A list of results that is followed: as the frames say, and never under a finger. */
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LiveSocket } from "../live/socket";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import type { ProviderList } from "../app/api";

const LIST = vi.hoisted(() => ["providers", { sort: "soonest" }] as const);
vi.stubGlobal("matchMedia", () => ({ matches: true }));
vi.stubGlobal("scrollBy", () => undefined);
vi.mock("./home", () => ({ providersQuery: () => ({ queryKey: LIST }) }));

const { Live } = await import("../live/hooks");
const { Following } = await import("./following");

const TOPIC = "search/e30";
const CLINIC = { time_zone: "Europe/London" };
const member = (id: string, next_free = "2026-12-01T09:00:00Z") => ({
  provider_id: id,
  name: `Dr ${id}`,
  next_free,
  clinic: CLINIC,
});

let line: { onopen?: () => void; onmessage?: (event: { data: string }) => void };
let sent: { op: string; topics?: string[] }[];
let root: Root;
let queries: QueryClient;

async function frame(said: object): Promise<void> {
  const data = JSON.stringify({ topic: TOPIC, epoch: 1, ...said });
  await act(async () => {
    line.onmessage?.({ data });
    await vi.advanceTimersByTimeAsync(50);
  });
}

const shown = () => queries.getQueryData<ProviderList>(LIST)!;
const ids = () => shown().items.map((one) => one.provider_id);
const state = (order: string[], next_cursor: string | null = "~1") => ({ order, total: 9, live: true, next_cursor });

beforeEach(async () => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  vi.useFakeTimers();
  queries = new QueryClient();
  queries.setQueryData(LIST, { items: [], facets: null });
  sent = [];
  vi.stubGlobal(
    "WebSocket",
    Object.assign(
      class {
        readyState = 1;
        constructor() {
          line = this as typeof line;
        }
        send(text: string) {
          sent.push(JSON.parse(text) as (typeof sent)[0]);
        }
        close() {}
      },
      { OPEN: 1 },
    ),
  );
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ topic: TOPIC })));
  i18n.loadAndActivate({ locale: "en", messages: {} });
  const live = new LiveSocket("ws://clinic.test");
  line.onopen?.();
  document.body.innerHTML = '<ul class="results"></ul><div id="root"></div>';
  root = createRoot(document.getElementById("root")!);
  await act(async () => {
    root.render(
      <I18nProvider i18n={i18n}>
        <QueryClientProvider client={queries}>
          <Live.Provider value={live}>
            <Following wanted={{}} found={shown()} />
          </Live.Provider>
        </QueryClientProvider>
      </I18nProvider>,
    );
    await vi.advanceTimersByTimeAsync(50);
  });
});

afterEach(async () => {
  await act(async () => root.unmount());
  vi.useRealTimers();
});

test("members come, go and change places without a sign-in", async () => {
  expect(sent.filter((one) => one.op === "subscribe").map((one) => one.topics)).toEqual([[TOPIC]]);
  const members = ["prv_1", "prv_2"].map((id) => member(id));
  await frame({ t: "snapshot", version: 1, members, ...state(["prv_1", "prv_2"]) });
  expect(ids()).toEqual(["prv_1", "prv_2"]);
  const changed = { members: [member("prv_3")], gone: ["prv_1"], ...state(["prv_2", "prv_3"]) };
  await frame({ t: "delta", from: 1, version: 4, ...changed });
  expect(ids()).toEqual(["prv_2", "prv_3"]);
  await frame({ t: "delta", from: 4, version: 5, members: [member("prv_3", "2026-12-01T08:00:00Z")] });
  expect(shown().items[1]?.next_free).toBe("2026-12-01T08:00:00Z");
  expect(shown()).toMatchObject({ total: 9, live: true, next_cursor: "~1", facets: null });
});

test("nothing moves while a pointer is pressed", async () => {
  await frame({ t: "snapshot", version: 1, members: [member("prv_1")], ...state(["prv_1"]) });
  dispatchEvent(new Event("pointerdown"));
  await frame({ t: "delta", from: 1, version: 2, members: [member("prv_2")], ...state(["prv_2", "prv_1"]) });
  expect(ids()).toEqual(["prv_1"]);
  dispatchEvent(new Event("pointerup"));
  await act(() => vi.advanceTimersByTimeAsync(50));
  expect(ids()).toEqual(["prv_2", "prv_1"]);
});

test("where the rest begins changes once in two seconds", async () => {
  await frame({ t: "snapshot", version: 1, members: [member("prv_1")], ...state(["prv_1"], "~1") });
  for (const version of [2, 3, 4]) {
    const next = state(["prv_1"], `~${version}`);
    await frame({ t: "delta", from: version - 1, version, members: [], ...next });
  }
  expect(shown().next_cursor).toBe("~1");
  await act(() => vi.advanceTimersByTimeAsync(2_000));
  expect(shown().next_cursor).toBe("~4");
});

test("a list that is refused stays as it was read", async () => {
  await act(async () => {
    line.onmessage?.({ data: JSON.stringify({ t: "error", topic: TOPIC, id: null, code: "list_limit" }) });
    await vi.advanceTimersByTimeAsync(50);
  });
  expect(shown()).toEqual({ items: [], facets: null });
});
