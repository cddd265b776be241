import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { LiveSocket } from "../live/socket";

vi.mock("../app/api", () => ({ newKey: () => "key" }));

const NOW = Date.parse("2026-12-01T09:00:00Z");
const HOUR_MS = 3_600_000;

const holdOf = (server: number, left_ms: number) => ({
  hold_id: "hld_1",
  expires_at: new Date(server + left_ms).toISOString(),
  expires_in_ms: left_ms,
});

/** A live socket that answers every command with this hold. */
function lineTo(status: number, body: unknown) {
  return { clockOffset: 0, command: () => Promise.resolve({ status, body }) } as unknown as LiveSocket;
}

beforeEach(() => {
  const stored = new Map<string, string>();
  vi.stubGlobal("sessionStorage", {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, text: string) => stored.set(name, text),
    removeItem: (name: string) => stored.delete(name),
  });
  vi.useFakeTimers();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
  vi.resetModules();
});

/** What the page finds of a hold after a reload, this much later. */
async function reloaded(later_ms: number) {
  vi.setSystemTime(Date.now() + later_ms);
  vi.resetModules();
  const { keptOffset } = await import("./holding");
  return { offset: keptOffset, stored: sessionStorage.getItem("slotcast.hold") };
}

test.each([
  ["fast by an hour", HOUR_MS],
  ["slow by an hour", -HOUR_MS],
  ["fast by five minutes", 300_000],
])("on a device whose clock is %s a reload keeps the hold, by the server's time", async (_, wrong) => {
  vi.setSystemTime(NOW + wrong);
  const live = lineTo(201, holdOf(NOW, 120_000));
  const { placeHold } = await import("./holding");
  await placeHold(live, "prv_1", "consult", "2026-12-01T10:00:00Z", undefined);
  expect(live.clockOffset).toBe(-wrong);
  expect((await reloaded(119_000)).offset).toBe(-wrong);
});

test.each([HOUR_MS, -HOUR_MS])("a hold that ended is not found after a reload, however wrong the clock (%d)", async (wrong) => {
  vi.setSystemTime(NOW + wrong);
  const { placeHold } = await import("./holding");
  await placeHold(lineTo(201, holdOf(NOW, 120_000)), "prv_1", "consult", "2026-12-01T10:00:00Z", undefined);
  expect(await reloaded(121_000)).toEqual({ offset: 0, stored: null });
});

test("what was typed stays with the hold over more time and a reload, and goes with it", async () => {
  vi.setSystemTime(NOW);
  const { forgetHold, placeHold } = await import("./holding");
  const { extendHold, noteReason } = await import("./confirming");
  await placeHold(lineTo(201, holdOf(NOW, 120_000)), "prv_1", "consult", "2026-12-01T10:00:00Z", undefined);
  noteReason("Knee pain");
  vi.setSystemTime(NOW + 60_000);
  await extendHold(lineTo(200, holdOf(NOW + 60_000, 120_000)));
  const { stored } = await reloaded(60_000);
  expect(JSON.parse(stored!)).toMatchObject({ bookKey: "key", reason: "Knee pain" });
  forgetHold();
  noteReason("Knee pain");
  expect(sessionStorage.getItem("slotcast.hold")).toBeNull();
});
