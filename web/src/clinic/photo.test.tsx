// @vitest-environment jsdom
/** The field of a photo: refusals in words, the new photo shown, the focus kept. */
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Photo } from "./photo";

// Loaded by a 403 otherwise, later than the test looks.
await import("../app/proving");

const OF = "/v1/providers/prv_1";
let asked: [string, string][];
let answers: Record<string, () => Response>;
let root: Root;
let shown: HTMLElement;

const json = (body: object, status = 200) => () => Response.json(body, { status });

beforeEach(async () => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  asked = [];
  answers = { [`GET ${OF}/directory-entry`]: json({ photo: null }) };
  vi.stubGlobal("fetch", async (path: string, { method }: { method: string }) => {
    asked.push([method, path]);
    return answers[`${method} ${path}`]?.() ?? new Response(null, { status: 500 });
  });
  i18n.loadAndActivate({ locale: "en", messages: {} });
  shown = document.body.appendChild(document.createElement("div"));
  root = createRoot(shown);
  await act(async () =>
    root.render(
      <I18nProvider i18n={i18n}>
        <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
          <Photo of={OF} name="Dr. Ada Ng" />
        </QueryClientProvider>
      </I18nProvider>,
    ),
  );
});

afterEach(() => {
  act(() => root.unmount());
  shown.remove();
  vi.unstubAllGlobals();
});

const field = () => shown.querySelector<HTMLInputElement>("input[type=file]")!;
const picture = () => shown.querySelector("img")?.getAttribute("src");

async function choose(size = 9): Promise<void> {
  const file = { name: "me.jpg", type: "image/jpeg", size };
  Object.defineProperty(field(), "files", { value: [file], configurable: true });
  await act(async () => field().dispatchEvent(new Event("change", { bubbles: true })));
  await act(async () => new Promise((done) => setTimeout(done)));
}

test("a photo is uploaded, shown and taken away, and the focus stays at its field", async () => {
  expect(picture()).toBeUndefined();
  answers[`PUT ${OF}/photo`] = json({ photo: "/v1/providers/prv_1/photo/a1/square" });
  await choose();
  expect(picture()).toBe("/v1/providers/prv_1/photo/a1/square");
  expect(document.activeElement).toBe(field());
  answers[`DELETE ${OF}/photo`] = () => new Response(null, { status: 204 });
  const button = shown.querySelector("button")!;
  button.focus();
  await act(async () => button.click());
  await act(async () => new Promise((done) => setTimeout(done)));
  expect(picture()).toBeUndefined();
  expect(document.activeElement).toBe(field());
});

test.each([
  ["photo_not_supported", 415, "no picture that can be used"],
  ["photo_damaged", 422, "damaged"],
  ["photo_too_large", 413, "too large"],
  ["request_timeout", 408, "too long to arrive"],
  ["forbidden", 403, "may not do this"],
])("%s is told in words, and what was shown stays", async (code, status, words) => {
  answers[`PUT ${OF}/photo`] = json({ code }, status);
  await choose();
  expect(shown.querySelector("[role=alert]")?.textContent).toContain(words);
  expect(picture()).toBeUndefined();
});

test("a file that is too large is not sent", async () => {
  await choose(12 * 1024 * 1024 + 1);
  expect(shown.querySelector("[role=alert]")?.textContent).toContain("too large");
  expect(asked.map(([method]) => method)).toEqual(["GET"]);
});
