import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** A registration with a newer worker that waits, as a browser would have it. */
function waiting() {
  const sent: unknown[] = [];
  const worker = { state: "installed", postMessage: (text: unknown) => sent.push(text) };
  const container = {
    controller: {},
    register: vi.fn(() => Promise.resolve({ waiting: worker, addEventListener: () => undefined })),
    addEventListener: vi.fn(),
  };
  return { container, sent };
}

beforeEach(() => {
  vi.resetModules();
  vi.stubEnv("DEV", false);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
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
