// @vitest-environment jsdom
/** Describing a complaint: what is sent, what is shown first, and that nothing is chosen by itself. */
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

const followed = vi.hoisted(() => vi.fn<(event: { preventDefault: () => void }) => void>());
vi.mock(import("@tanstack/react-router"), async (original) => ({
  ...(await original()),
  getRouteApi: (() => ({ useSearch: () => ({ near: "51.45,-2.58" }) })) as never,
}));
vi.mock("../app/shell", () => ({ useFollow: () => followed }));

const { Symptoms } = await import("./symptoms");

const KNEE = {
  suggestions: [
    { specialty: "orthopaedics", title: "Orthopaedics", score: 0.8 },
    { specialty: "rheumatology", title: "Rheumatology", score: 0.4 },
  ],
  sure: true,
  urgent: false,
};
let root: Root;
let room: HTMLElement;
let asked: { url: string; body: unknown }[];
let answers: Response[];

function says(body: object, status = 200): Response {
  const kind = status === 200 ? "application/json" : "application/problem+json";
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": kind } });
}

async function ask(text: string): Promise<void> {
  const opener = room.querySelector<HTMLButtonElement>("button[aria-expanded=false]");
  if (opener !== null) await act(async () => opener.click());
  const field = room.querySelector("textarea")!;
  await act(async () => {
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value")!.set!.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await act(async () => field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true })));
}

beforeEach(async () => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  i18n.loadAndActivate({ locale: "de", messages: {} });
  asked = [];
  answers = [];
  vi.stubGlobal("fetch", async (url: string, options: RequestInit) => {
    asked.push({ url, body: JSON.parse(String(options.body)) });
    return answers.shift() ?? Response.error();
  });
  followed.mockReset();
  followed.mockImplementation((event) => event.preventDefault());
  room = document.body.appendChild(document.createElement("div"));
  root = createRoot(room);
  await act(async () =>
    root.render(
      <I18nProvider i18n={i18n}>
        <Symptoms names={[]} />
      </I18nProvider>,
    ),
  );
});

afterEach(async () => {
  await act(async () => root.unmount());
  room.remove();
  vi.unstubAllGlobals();
});

const chips = () => [...room.querySelectorAll<HTMLAnchorElement>(".kinds a")];

test("the words go into a body, and chips lead to a search that a tap alone begins", async () => {
  answers.push(says(KNEE));
  await ask("  my knee hurts ");
  expect(asked).toEqual([{ url: "/v1/symptoms", body: { text: "my knee hurts", language: "de" } }]);
  expect(chips().map((one) => one.textContent)).toEqual(["Orthopaedics", "Rheumatology"]);
  expect(chips()[0]!.getAttribute("href")).toBe("/?specialty=Orthopaedics&near=51.45%2C-2.58");
  expect(followed).not.toHaveBeenCalled();
  await act(async () => chips()[0]!.click());
  expect(followed).toHaveBeenCalledOnce();
  expect(room.querySelector("textarea")).toBeNull();
  expect(chips()).toHaveLength(2);
});

test("the emergency line stands before the suggestions, and goes with the next answer", async () => {
  answers.push(says({ ...KNEE, urgent: true }), says(KNEE));
  await ask("chest pain");
  const [first, second] = room.querySelectorAll("[role=alert], .kinds");
  expect(first!.getAttribute("role")).toBe("alert");
  expect(first!.textContent).toContain("112");
  expect(second!.className).toBe("kinds");
  await ask("my knee hurts");
  expect(room.querySelector("[role=alert]")).toBeNull();
});

test("a guess says that it is one, and nothing is asked about nothing", async () => {
  await ask("   ");
  expect(asked).toEqual([]);
  answers.push(says({ ...KNEE, sure: false }), says({ ...KNEE, suggestions: [] }));
  await ask("qwertz");
  expect(room.querySelector(".kinds.unsure")).not.toBeNull();
  expect(room.textContent).toContain("We are not sure");
  await ask("asdf");
  expect(chips()).toEqual([]);
  expect(room.textContent).toContain("We have no suggestion");
});

test("a refusal is said, and the words stay in the field", async () => {
  answers.push(says({ code: "too_many_requests", status: 429 }, 429));
  await ask("my knee hurts");
  expect(room.querySelector("[role=alert]")!.textContent).toContain("That was quick");
  expect(room.querySelector("textarea")!.value).toBe("my knee hurts");
});

test("only the answer to the last question is shown", async () => {
  let late: (answer: Response) => void = () => undefined;
  const calls = [new Promise<Response>((done) => (late = done)), Promise.resolve(says(KNEE))];
  vi.stubGlobal("fetch", () => calls.shift());
  await ask("first");
  await ask("second");
  await act(async () => late(says({ ...KNEE, suggestions: [], sure: false })));
  expect(chips()).toHaveLength(2);
});
