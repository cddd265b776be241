// @vitest-environment jsdom
/** Sending a wish: one request at a time, and one key until its outcome is known. */
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { useSending } from "./keys";

let hook: ReturnType<typeof useSending>;
let root: Root;
const keys: string[] = [];

function Wishing() {
  const sending = useSending();
  // The hook is looked at from outside.
  // eslint-disable-next-line react-hooks/globals
  hook = sending;
  return null;
}

beforeEach(async () => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  vi.useFakeTimers();
  keys.length = 0;
  root = createRoot(document.createElement("div"));
  await act(async () => root.render(<Wishing />));
});

afterEach(async () => {
  await act(async () => root.unmount());
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const answered = (status: number) => ({ error: status < 400 ? undefined : { code: "x" }, response: { status } });

async function send(wanted: object, status: number): Promise<void> {
  await act(async () => {
    await hook.send(wanted, async (key) => {
      keys.push(key);
      return answered(status);
    });
  });
}

test.each([0, 401, 403, 429, 500, 503])("after %i the same wish has the same key", async (status) => {
  await send({ a: 1 }, status);
  await send({ a: 1 }, 200);
  expect(keys[1]).toBe(keys[0]);
  expect(hook.isAsking).toBe(false);
});

test.each([200, 201, 404, 409, 410, 412])("after %i it is a wish of its own", async (status) => {
  await send({ a: 1 }, status);
  await send({ a: 1 }, 200);
  expect(keys[1]).not.toBe(keys[0]);
});

test("another wish has another key, and the first keeps its own", async () => {
  await send({ a: 1 }, 0);
  await send({ a: 2 }, 0);
  await send({ a: 1 }, 0);
  expect(keys[1]).not.toBe(keys[0]);
  expect(keys[2]).toBe(keys[0]);
});

test("while a request is under way none is sent beside it; one without an answer is given up", async () => {
  const never = vi.fn<(key: string) => Promise<ReturnType<typeof answered>>>(() => new Promise(() => undefined));
  let first: unknown;
  await act(async () => {
    void hook.send({ a: 1 }, never).then((answer) => (first = answer));
    expect(await hook.send({ a: 1 }, never)).toBeUndefined();
  });
  expect(never).toHaveBeenCalledTimes(1);
  expect(hook.isAsking).toBe(true);
  await act(async () => vi.advanceTimersByTimeAsync(30_000));
  expect(first).toMatchObject({ error: { code: "unreachable" } });
  expect(hook.isAsking).toBe(false);
  await send({ a: 1 }, 200);
  expect(keys[0]).toBe(never.mock.calls[0]?.[0]);
});

test("what throws is an answer that did not come", async () => {
  let answer: unknown;
  await act(async () => {
    answer = await hook.send({ a: 1 }, () => Promise.reject(new SyntaxError("cut")));
  });
  expect(answer).toMatchObject({ error: { code: "unreachable" } });
  expect(hook.isAsking).toBe(false);
});
