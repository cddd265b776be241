import { beforeEach, expect, test, vi } from "vitest";

/** Not by its path in the text: it is of another world, with types of its own. */
const SCRIPT = "../../worker/sw.ts";
const ORIGIN = "https://clinic.test";

type Listener = (event: unknown) => void;

/** A worker's world, with some windows of the app open. */
async function world(windows: { focus: () => Promise<unknown> }[] = []) {
  const listeners = new Map<string, Listener>();
  const shown: [string, Record<string, unknown>][] = [];
  const opened: string[] = [];
  const self = {
    location: { origin: ORIGIN },
    addEventListener: (name: string, listener: Listener) => listeners.set(name, listener),
    registration: {
      showNotification: (title: string, options: Record<string, unknown>) => {
        shown.push([title, options]);
        return Promise.resolve();
      },
    },
    clients: {
      matchAll: () => Promise.resolve(windows),
      openWindow: (url: string) => Promise.resolve(opened.push(url)),
    },
  };
  vi.stubGlobal("self", self);
  vi.stubGlobal("__BUILD__", "1");
  vi.stubGlobal("__SHELL__", []);
  await import(SCRIPT);
  const fire = async (name: string, event: Record<string, unknown>) => {
    const work: Promise<unknown>[] = [];
    listeners.get(name)?.({ ...event, waitUntil: (one: Promise<unknown>) => work.push(one) });
    await Promise.all(work);
  };
  return { fire, shown, opened };
}

const push = (text: string) => ({ data: { json: () => JSON.parse(text) as unknown } });
const touched = (data: unknown) => ({ notification: { close: () => undefined, data } });

beforeEach(() => {
  vi.resetModules();
});

test("a message is shown as it says, and one that is none without words", async () => {
  const { fire, shown } = await world();
  await fire("push", push('{"tag":"ntc_1","title":"Slotcast","body":"A visit.","page":"/me/notices"}'));
  await fire("push", push("no JSON"));
  await fire("push", { data: null });
  const plain = { icon: "/icon.svg", dir: "auto", data: undefined };
  expect(shown).toEqual([
    ["Slotcast", { ...plain, tag: "ntc_1", body: "A visit.", data: "/me/notices" }],
    ["Slotcast", plain],
    ["Slotcast", plain],
  ]);
});

test("a touch opens a page of this site alone", async () => {
  const { fire, opened } = await world();
  await fire("notificationclick", touched("/me/notices"));
  await fire("notificationclick", touched("https://elsewhere.test/"));
  await fire("notificationclick", touched(undefined));
  expect(opened).toEqual([`${ORIGIN}/me/notices`, `${ORIGIN}/`]);
});

test("a window of the app that is open is used", async () => {
  const went: string[] = [];
  const open = { navigate: (url: string) => Promise.resolve(went.push(url)) };
  const { fire, opened } = await world([{ focus: () => Promise.resolve(open) }]);
  await fire("notificationclick", touched("/me/notices"));
  expect(went).toEqual([`${ORIGIN}/me/notices`]);
  expect(opened).toEqual([]);
});
