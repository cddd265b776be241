import { afterEach, beforeEach, expect, test, vi } from "vitest";

const NOW = Date.parse("2026-12-01T09:00:00Z");
const LIFE_MS = 900_000;
const HOUR_MS = 3_600_000;

function storage() {
  const kept = new Map<string, string>();
  return {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, text: string) => kept.set(name, text),
    removeItem: (name: string) => kept.delete(name),
  };
}

/** What the server answers when its clock shows this. */
function signedIn(now: number) {
  const context = { role: "patient", subject: "pat_1" };
  const expires_at = new Date(now + LIFE_MS).toISOString();
  const headers = { "content-type": "application/json", date: new Date(now).toUTCString() };
  const body = { status: "signed_in", access_token: "token", expires_at, context, contexts: [context] };
  return new Response(JSON.stringify(body), { headers });
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal("addEventListener", () => undefined);
  vi.stubGlobal("localStorage", storage());
  vi.stubGlobal("sessionStorage", storage());
  vi.stubGlobal("BroadcastChannel", class { postMessage = () => undefined; });
  vi.stubGlobal("navigator", { locks: { request: (_: string, work: () => unknown) => work() } });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
  vi.resetModules();
});

test("where no session is left a page forgets what it had of the person", async () => {
  const { session } = await import("./session");
  const forgotten = vi.fn();
  session.onLeave(forgotten);
  await session.begin();
  expect(forgotten).toHaveBeenCalledOnce();
  expect(session.ready).toBe(true);
});

test("who is here is known once the first refresh was answered, and from then on at once", async () => {
  let answer: (response: Response) => void = () => undefined;
  vi.stubGlobal("fetch", () => new Promise<Response>((done) => (answer = done)));
  localStorage.setItem("slotcast.here", "yes");
  const { session } = await import("./session");
  const known = vi.fn();
  const begun = session.begin();
  void session.known().then(known);
  await vi.advanceTimersByTimeAsync(0);
  expect(known).not.toHaveBeenCalled();
  answer(signedIn(NOW));
  await begun;
  await vi.advanceTimersByTimeAsync(0);
  expect(known).toHaveBeenCalledOnce();
  await session.known();
  expect(session.context()?.subject).toBe("pat_1");
});

test.each([
  ["fast by an hour", HOUR_MS],
  ["slow by an hour", -HOUR_MS],
  ["right", 0],
])("on a device whose clock is %s a token is renewed after four fifths of its life", async (_, wrong) => {
  vi.setSystemTime(NOW + wrong);
  const asked = vi.fn((path: string) => {
    void path;
    return Promise.resolve(signedIn(Date.now() - wrong));
  });
  vi.stubGlobal("fetch", asked);
  const { session } = await import("./session");
  await session.enter("mira@example.org", "password", false);
  await vi.advanceTimersByTimeAsync(LIFE_MS * 0.8 - 1_000);
  expect(asked).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked).toHaveBeenCalledTimes(2);
  expect(asked.mock.calls[1]![0]).toBe("/v1/auth/refresh");
});
