// @vitest-environment jsdom
/** What a change of the live socket costs on the grid of times: counted, since times would flap. */
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LiveSocket } from "../live/socket";

const counted = vi.hoisted(() => ({ slots: 0, dates: 0 }));
vi.mock(import("../live/hooks"), async (original) => {
  const real = await original();
  // Every rendering of a slot asks for its state exactly once.
  const useSlot: typeof real.useSlot = (topic, start) => {
    counted.slots += 1;
    return real.useSlot(topic, start);
  };
  return { ...real, useSlot };
});
vi.mock(import("../app/time"), async (original) => {
  const real = await original();
  return {
    ...real,
    localOf: (...given) => (counted.dates++, real.localOf(...given)),
    say: (...given) => (counted.dates++, real.say(...given)),
    sayDay: (...given) => (counted.dates++, real.sayDay(...given)),
  };
});
vi.stubGlobal("matchMedia", () => ({ matches: true }));

const { Live } = await import("../live/hooks");
const { Calendar } = await import("./provider");

const TOPIC = "slots/prv_1/consult/2026-W49";
const COUNT = 500;
/** A quarter of an hour apart, from Monday on: more than five whole days. */
const STARTS = Array.from({ length: COUNT }, (_, n) =>
  new Date(Date.UTC(2026, 10, 30) + n * 900_000).toISOString().replace(".000", ""),
);

let line: { onopen?: () => void; onmessage?: (event: { data: string }) => void };
let root: Root;
let live: LiveSocket;
let version = 1;

function say(frame: object): Promise<void> {
  const data = JSON.stringify({ topic: TOPIC, epoch: 1, version, ...frame });
  return act(async () => line.onmessage?.({ data }));
}

function change(slots: [string, string][]): Promise<void> {
  version += 1;
  return say({ t: "delta", from: version - 1, version, slots });
}

function show(view: "week" | "list", mine?: string): Promise<void> {
  const page: ReactNode = (
    <I18nProvider i18n={i18n}>
      <Live.Provider value={live}>
        <Calendar
          topic={TOPIC}
          zone="Europe/London"
          monday="2026-11-30"
          view={view}
          mine={mine}
          onTake={onTake}
          soonest={undefined}
          onSoonest={() => undefined}
          at={undefined}
        />
      </Live.Provider>
    </I18nProvider>
  );
  return act(async () => root.render(page));
}
const onTake = () => undefined;
const slot = (start: string | undefined) => document.querySelector<HTMLElement>(`[data-start="${start}"]`);

beforeEach(async () => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  vi.stubGlobal(
    "WebSocket",
    Object.assign(
      class {
        readyState = 1;
        constructor() {
          line = this as typeof line;
        }
        send() {}
        close() {}
      },
      { OPEN: 1 },
    ),
  );
  i18n.loadAndActivate({ locale: "en", messages: {} });
  live = new LiveSocket("ws://localhost/v1/live");
  const place = document.body.appendChild(document.createElement("div"));
  root = createRoot(place);
  await show("week");
  await act(async () => line.onopen?.());
  await say({ t: "snapshot", slots: STARTS.map((start) => [start, "free"]) });
  counted.slots = counted.dates = 0;
});
afterEach(async () => {
  await act(async () => root.unmount());
  document.body.replaceChildren();
  version = 1;
});

test("a change renders its own slot of 500, once, and puts no date into words", async () => {
  await change([[STARTS[77]!, "held"]]);
  expect(slot(STARTS[77])?.dataset["state"]).toBe("held");
  expect(counted).toMatchObject({ slots: 1, dates: 0 });
});

test("the soonest time, which is no longer free, costs no more", async () => {
  await change([[STARTS[0]!, "booked"]]);
  expect(slot(STARTS[0])?.dataset["state"]).toBe("booked");
  expect(counted).toMatchObject({ slots: 1, dates: 0 });
});

test("a burst over all slots renders each of them once, and the focus stays", async () => {
  slot(STARTS[9])?.focus();
  await change(STARTS.map((start) => [start, "booked"]));
  expect(document.querySelectorAll('[data-state="booked"]')).toHaveLength(COUNT);
  expect(counted).toMatchObject({ slots: COUNT, dates: 0 });
  expect(document.body.textContent).toContain("No free time in this week.");
  expect(document.activeElement).toBe(slot(STARTS[9]));
});

test("a time that is kept for this page renders that slot alone", async () => {
  await show("week", STARTS[42]);
  expect(slot(STARTS[42])?.dataset["state"]).toBe("mine");
  expect(counted.slots).toBe(1);
});

test("in the list a change renders its own slot as well", async () => {
  await show("list");
  counted.slots = counted.dates = 0;
  await change([[STARTS[5]!, "held"]]);
  expect(slot(STARTS[5])?.dataset["state"]).toBe("held");
  expect(counted).toMatchObject({ slots: 1, dates: 0 });
});

test("a slot is called by its day, its time on the clinic's clock and its state", async () => {
  await change([[STARTS[40]!, "booked"]]);
  expect(slot(STARTS[40])?.getAttribute("aria-label")).toMatch(/^Monday.* 30.*, 10:00, taken$/);
});

test("the list opens on the first day with a free time, and stays there when it is taken", async () => {
  const monday = STARTS.filter((start) => start.startsWith("2026-11-30"));
  await change(monday.map((start) => [start, "booked"]));
  await show("list");
  const day = () => document.querySelector("h2")?.textContent;
  expect(day()).toMatch(/Tuesday/);
  await change(STARTS.filter((start) => start.startsWith("2026-12-01")).map((start) => [start, "held"]));
  expect(day()).toMatch(/Tuesday/);
});
