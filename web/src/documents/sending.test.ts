// @vitest-environment jsdom
/** A file is sent to its end over a line that breaks, and what is refused is not repeated. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { againAfter, handIn, interrupted, PIECE_BYTES, Unsent, type Doc } from "./sending";

// Loaded by a 403 otherwise, later than the test looks.
await import("../app/proving");

let stored: number;
let begun: number;
let pieces: [number, number][];
/** What becomes of the n-th piece: it arrives, is lost, arrives without an answer, or is refused. */
let fates: ("lost" | "unanswered" | "slow" | undefined)[];
const SIZE = 2 * PIECE_BYTES + 5;
const file = new File([new Uint8Array(SIZE)], "letter.pdf");

const doc = (): Doc => ({
  document_id: "doc_1",
  booking_id: "bkg_1.a",
  name: "letter.pdf",
  state: stored === SIZE ? "quarantined" : "receiving",
  size: SIZE,
  received: stored,
  kind: null,
  fault: null,
  of_clinic: false,
  can_remove: true,
  made_at: "2026-08-10T09:00:00Z",
});

beforeEach(() => {
  [stored, begun, pieces, fates] = [0, 0, [], []];
  sessionStorage.clear();
  vi.stubGlobal("fetch", async (_path: string, init: { method: string; headers: Headers; body: Blob }) => {
    if (init.method === "POST") {
      begun += 1;
      return Response.json(doc(), { status: 201 });
    }
    if (init.method === "GET") return Response.json(doc());
    const offset = Number(init.headers.get("Upload-Offset"));
    const fate = fates[pieces.length];
    pieces.push([offset, init.body.size]);
    if (fate === "lost") throw new TypeError("the line is cut");
    if (fate === "slow") return Response.json({ code: "request_timeout" }, { status: 408 });
    if (offset !== stored) return Response.json({ code: "document_offset" }, { status: 409 });
    stored += init.body.size;
    if (fate === "unanswered") throw new TypeError("the line is cut");
    return Response.json(doc());
  });
});

afterEach(() => vi.unstubAllGlobals());

const sent = (more: Partial<Parameters<typeof handIn>[0]> = {}) => {
  const shares: number[] = [];
  const done = handIn({
    booking: "bkg_1.a",
    file,
    onShare: (share) => shares.push(share),
    pause: async () => undefined,
    ...more,
  });
  return done.then((found) => ({ found, shares }));
};

test("a file is sent in pieces, and the share grows to 1", async () => {
  const { found, shares } = await sent();
  expect(found.state).toBe("quarantined");
  expect(pieces).toEqual([
    [0, PIECE_BYTES],
    [PIECE_BYTES, PIECE_BYTES],
    [2 * PIECE_BYTES, 5],
  ]);
  expect(shares).toEqual([...shares].sort());
  expect(shares.at(-1)).toBe(1);
});

test("a piece that was lost is sent again, one whose answer was lost is not", async () => {
  fates = ["lost", "unanswered", "lost", "unanswered"];
  const { found } = await sent();
  expect(found.state).toBe("quarantined");
  expect(pieces.map(([offset]) => offset)).toEqual([0, 0, PIECE_BYTES, PIECE_BYTES, 2 * PIECE_BYTES]);
  expect(begun).toBe(1);
});

test("an interrupted upload goes on with the same file, and with no other of its name and size", async () => {
  fates = [undefined, ...Array.from({ length: 8 }, () => "lost" as const)];
  await expect(sent()).rejects.toEqual(new Unsent("unreachable"));
  expect(stored).toBe(PIECE_BYTES);
  const other = new File([new Uint8Array(SIZE).fill(1)], "letter.pdf");
  expect(await interrupted([doc()], other)).toBeUndefined();
  expect(await interrupted([doc()], new File(["x"], "letter.pdf"))).toBeUndefined();
  const before = await interrupted([doc()], new File([new Uint8Array(SIZE)], "letter.pdf"));
  expect(before).toBeDefined();
  [pieces, fates] = [[], []];
  await sent({ begun: before });
  expect(begun).toBe(1);
  expect(pieces[0]).toEqual([PIECE_BYTES, PIECE_BYTES]);
  expect(sessionStorage.length).toBe(0);
});

test("a document that is checked for long is asked for each minute", () => {
  expect([0, 7, 8, 40, 900].map(againAfter)).toEqual([2_000, 2_000, 4_000, 64_000, 64_000]);
});

test("a line that stays cut ends it, and so does a refusal", async () => {
  fates = Array.from({ length: 20 }, () => "lost" as const);
  await expect(sent()).rejects.toEqual(new Unsent("unreachable"));
  expect(pieces.length).toBe(8);
  [pieces, fates] = [[], ["slow"]];
  await expect(sent()).rejects.toEqual(new Unsent("request_timeout"));
  expect(pieces.length).toBe(1);
  const large = { size: 21 * 1024 * 1024, name: "film.pdf" } as File;
  await expect(sent({ file: large })).rejects.toEqual(new Unsent("document_too_large"));
});
