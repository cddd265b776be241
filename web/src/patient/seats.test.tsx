// @vitest-environment jsdom
/** The seats of a group visit: a list under the times that follows its topic's frames. */
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Provider } from "../app/api";

vi.mock(import("@tanstack/react-router"), async (original) => ({
  ...(await original()),
  getRouteApi: (() => ({ useSearch: () => ({ type: "class", week: "2026-11-30" }) })) as never,
}));

const { SeatsLeft } = await import("./seats");

const NINE = "2026-12-01T09:00:00Z";
const TEN = "2026-12-01T10:00:00Z";
const provider = (capacity: number) =>
  ({
    provider_id: "prv_1",
    locations: [{ time_zone: "Europe/London" }],
    visit_types: [{ visit_type: "class", title: "Class", capacity }],
  }) as unknown as Provider;

class Stream {
  static all: Stream[] = [];
  onmessage: ((event: { data: string }) => void) | undefined;
  isOpen = true;
  constructor(readonly url: string) {
    Stream.all.push(this);
  }
  close() {
    this.isOpen = false;
  }
}

let room: HTMLElement;
let root: Root;

async function show(capacity: number): Promise<void> {
  await act(async () =>
    root.render(
      <I18nProvider i18n={i18n}>
        <SeatsLeft provider={provider(capacity)} />
      </I18nProvider>,
    ),
  );
}

async function frame(said: object): Promise<void> {
  await act(async () => Stream.all[0]?.onmessage?.({ data: JSON.stringify(said) }));
}

const rows = () => [...room.querySelectorAll(".chip")].map((one) => one.textContent);

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  vi.stubGlobal("EventSource", Stream);
  i18n.loadAndActivate({ locale: "en", messages: {} });
  Stream.all = [];
  room = document.body.appendChild(document.createElement("div"));
  root = createRoot(room);
});

afterEach(async () => {
  await act(async () => root.unmount());
  room.remove();
  vi.unstubAllGlobals();
});

test("seats go as the frames say, and the stream ends with the page", async () => {
  await show(3);
  expect(Stream.all.map((one) => one.url)).toEqual(["/v1/stream?topics=slots%2Fprv_1%2Fclass%2F2026-W49"]);
  expect(room.textContent).toBe("");
  await frame({ t: "snapshot", slots: [[TEN, "free"], [NINE, "free"]], seats_left: { [NINE]: 3, [TEN]: 3 } });
  expect(rows()).toEqual(["3 seats left", "3 seats left"]);
  expect(room.querySelector("li")?.dataset["start"]).toBe(NINE);
  await frame({ t: "delta", slots: [[NINE, "free"]], seats_left: { [NINE]: 1 } });
  expect(rows()).toEqual(["1 seat left", "3 seats left"]);
  await frame({ t: "delta", slots: [[NINE, "booked"]] });
  expect(rows()).toEqual(["3 seats left"]);
  await act(async () => root.render(null));
  expect(Stream.all[0]?.isOpen).toBe(false);
});

test("a visit of one patient has no seats and asks for nothing", async () => {
  await show(1);
  expect(Stream.all).toEqual([]);
  expect(room.textContent).toBe("");
});
