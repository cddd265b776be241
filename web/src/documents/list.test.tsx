// @vitest-environment jsdom
/** The documents of a visit: states and refusals in words, the focus kept, nothing that axe finds. */
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import axe from "axe-core";
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DocumentsDialog } from "./list";
import type { Doc } from "./sending";

// Loaded by a 403 otherwise, later than the test looks.
await import("../app/proving");

let docs: Doc[];
let asked: string[];
let answers: Record<string, () => Response>;
let root: Root;
let shown: HTMLElement;

const json = (body: object, status = 200) => Response.json(body, { status });

const doc = (number: number, more: Partial<Doc> = {}): Doc => ({
  document_id: `doc_${number}`,
  booking_id: "bkg_1.a",
  name: `file ${number}.pdf`,
  state: "available",
  size: 2_500_000,
  received: 2_500_000,
  kind: "application/pdf",
  fault: null,
  of_clinic: false,
  can_remove: true,
  made_at: "2026-08-10T09:00:00Z",
  ...more,
});

async function open(): Promise<void> {
  await act(async () =>
    root.render(
      <I18nProvider i18n={i18n}>
        <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
          <DocumentsDialog booking="bkg_1.a" onClose={() => undefined} />
        </QueryClientProvider>
      </I18nProvider>,
    ),
  );
  await settled();
}

const settled = () => act(async () => new Promise((done) => setTimeout(done)));

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  HTMLDialogElement.prototype.showModal = function () {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function () {
    this.open = false;
  };
  [docs, asked, answers] = [[], [], {}];
  vi.stubGlobal("fetch", async (path: string, { method }: { method: string }) => {
    asked.push(`${method} ${path.split("?")[0]}`);
    const answer = answers[`${method} ${path.split("?")[0]}`];
    if (answer !== undefined) return answer();
    return method === "GET" ? json({ items: docs }) : json({ code: "internal" }, 500);
  });
  i18n.loadAndActivate({ locale: "en", messages: {} });
  shown = document.body.appendChild(document.createElement("main"));
  root = createRoot(shown);
});

afterEach(() => {
  act(() => root.unmount());
  shown.remove();
  vi.unstubAllGlobals();
});

const field = () => shown.querySelector<HTMLInputElement>("input[type=file]")!;
const button = (name: string) => shown.querySelector<HTMLButtonElement>(`button[aria-label="${name}"]`);

async function choose(name: string, size = 9): Promise<void> {
  const file = new File([new Uint8Array(size)], name);
  Object.defineProperty(field(), "files", { value: [file], configurable: true });
  await act(async () => field().dispatchEvent(new Event("change", { bubbles: true })));
  do await settled();
  while (field().disabled);
  await settled();
}

test("each state has its words and what can be done", async () => {
  docs = [
    doc(1),
    doc(2, { of_clinic: true, can_remove: false }),
    doc(3, { state: "quarantined", kind: null }),
    doc(4, { state: "refused", kind: null, fault: "locked" }),
    doc(5, { state: "receiving", kind: null, received: 9 }),
  ];
  await open();
  const rows = [...shown.querySelectorAll(".documents > li")].map((one) => one.textContent ?? "");
  expect(rows[0]).toContain("from the patient");
  expect(rows[0]).toContain("2.5 MB");
  expect(rows[1]).toContain("from the clinic");
  expect(rows[2]).toContain("Being checked");
  expect(rows[3]).toContain("password");
  expect(rows[4]).toContain("choose the same file again");
  const can = (verb: string) => docs.map((one) => button(`${verb} ${one.name}`) !== null);
  expect(can("Download")).toEqual([true, true, false, false, false]);
  expect(can("Remove")).toEqual([true, false, true, true, true]);
  const found = await axe.run(shown, { rules: { "color-contrast": { enabled: false } } });
  expect(found.violations.map((one) => one.id)).toEqual([]);
});

test("a file is handed in, and its state is shown", async () => {
  await open();
  expect(shown.textContent).toContain("There are none yet.");
  const sent = doc(1, { state: "quarantined", kind: null });
  answers["POST /v1/documents"] = () => json(doc(1, { state: "receiving", received: 0, size: 9 }), 201);
  answers["PATCH /v1/documents/doc_1/content"] = () => {
    docs = [sent];
    return json(sent);
  };
  await choose("file 1.pdf");
  expect(asked.slice(1)).toEqual(["POST /v1/documents", "PATCH /v1/documents/doc_1/content", "GET /v1/documents"]);
  expect(shown.querySelector(".documents")?.textContent).toContain("Being checked");
  expect(shown.querySelector("[role=alert]")).toBeNull();
});

test("a refusal is said, and another try is possible", async () => {
  await open();
  answers["POST /v1/documents"] = () => json({ code: "document_limit" }, 409);
  await choose("file 1.pdf");
  expect(shown.querySelector("[role=alert]")?.textContent).toContain("no room");
  expect(field().disabled).toBe(false);
});

test("after a removal the focus is where the next is added", async () => {
  docs = [doc(1)];
  await open();
  answers["DELETE /v1/documents/doc_1"] = () => {
    docs = [];
    return new Response(null, { status: 204 });
  };
  await act(async () => button("Remove file 1.pdf")!.click());
  await settled();
  expect(document.activeElement).toBe(field());
  expect(shown.textContent).toContain("There are none yet.");
});

test("a document is saved by an address of its own; a refusal is said", async () => {
  docs = [doc(1)];
  await open();
  const saved: string[] = [];
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
    saved.push(new URL(this.href).pathname);
  });
  const there = "POST /v1/documents/doc_1/links";
  answers[there] = () => json({ address: "/v1/document-links/x", expires_at: "" }, 201);
  await act(async () => button("Download file 1.pdf")!.click());
  expect(saved).toEqual(["/v1/document-links/x"]);
  answers[there] = () => json({ code: "document_not_available" }, 409);
  await act(async () => button("Download file 1.pdf")!.click());
  expect(shown.querySelector("[role=alert]")?.textContent).toContain("still being checked");
});
