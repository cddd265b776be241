import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** Not by its path in the text: it is of another world, with types of its own. */
const SCRIPT = "../../worker/sw.ts";

/** A registration with a newer worker that waits, as a browser would have it. */
function waiting() {
  const sent: unknown[] = [];
  const worker = { state: "installed", postMessage: (text: unknown) => sent.push(text) };
  const asked = vi.fn(() => Promise.resolve());
  const registration = { waiting: worker, installing: null, addEventListener: () => undefined, update: asked };
  const container = {
    controller: {},
    register: vi.fn(() => Promise.resolve(registration)),
    addEventListener: vi.fn(),
  };
  return { container, sent, worker, asked };
}

const page = new EventTarget();
const reload = vi.fn();

beforeEach(() => {
  vi.resetModules();
  vi.stubEnv("DEV", false);
  vi.stubGlobal("document", page);
  vi.stubGlobal("location", { reload });
  reload.mockClear();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  vi.useRealTimers();
});

test("a newer worker waits until it is told to turn over", async () => {
  const { container, sent } = waiting();
  vi.stubGlobal("navigator", { serviceWorker: container });
  const { onUpdate, startWorker } = await import("./worker");
  const turns: (() => void)[] = [];
  onUpdate((turn) => turns.push(turn));
  await startWorker();
  expect(sent).toEqual([]);
  expect(turns).toHaveLength(1);
  turns[0]?.();
  expect(sent).toEqual(["turn over"]);
});

test("where workers are refused the app goes on without one", async () => {
  const { container } = waiting();
  container.register = vi.fn(() => Promise.reject(new Error("refused")));
  vi.stubGlobal("navigator", { serviceWorker: container });
  const { startWorker } = await import("./worker");
  await expect(startWorker()).resolves.toBeUndefined();
});

test("a page whose worker was turned over in another tab loads again", async () => {
  const { container, sent, worker } = waiting();
  vi.stubGlobal("navigator", { serviceWorker: container });
  const { onUpdate, startWorker } = await import("./worker");
  const turns: (() => void)[] = [];
  onUpdate((turn) => turns.push(turn));
  await startWorker();
  worker.state = "activated";
  expect(reload).not.toHaveBeenCalled();
  turns[0]?.();
  expect(reload).toHaveBeenCalledOnce();
  expect(sent).toEqual([]);
});

test("a page that was left open asks for a newer app, once an hour", async () => {
  const { container, asked } = waiting();
  vi.stubGlobal("navigator", { serviceWorker: container });
  vi.useFakeTimers();
  const { startWorker } = await import("./worker");
  await startWorker();
  const comeBack = () => page.dispatchEvent(new Event("visibilitychange"));
  vi.advanceTimersByTime(59 * 60_000);
  comeBack();
  expect(asked).not.toHaveBeenCalled();
  vi.advanceTimersByTime(60_000);
  comeBack();
  comeBack();
  expect(asked).toHaveBeenCalledOnce();
});

test("the worker keeps the files of three builds before its own", async () => {
  const heard = new Map<string, (event: { waitUntil: (work: Promise<unknown>) => void }) => void>();
  const names = ["one", "two", "three", "four", "five", "six"].map((one) => `slotcast-${one}`);
  vi.stubGlobal("__BUILD__", "five");
  vi.stubGlobal("__SHELL__", []);
  vi.stubGlobal("self", {
    addEventListener: (name: string, hear: () => void) => heard.set(name, hear),
    clients: { claim: () => Promise.resolve() },
  });
  const dropped: string[] = [];
  vi.stubGlobal("caches", {
    keys: () => Promise.resolve(names),
    delete: (name: string) => Promise.resolve(dropped.push(name)),
  });
  await import(/* @vite-ignore */ SCRIPT);
  const works: Promise<unknown>[] = [];
  heard.get("activate")!({ waitUntil: (work) => works.push(work) });
  await Promise.all(works);
  expect(dropped).toEqual(["slotcast-one", "slotcast-two"]);
});
