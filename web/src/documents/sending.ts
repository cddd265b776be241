/** Hands a file in, piece by piece: what an interrupted line lost is sent again, and nothing else. */
import { api, newKey, type Schemas } from "../app/api";
import { session } from "../app/session";

export type Doc = Schemas["DocumentAnswer"];

/** Bytes of one request: small enough to show how far it is. */
export const PIECE_BYTES = 1024 * 1024;
export const FILE_BYTES_MAX = 20 * 1024 * 1024;
/** Tries in a row without a byte that arrived. */
const TRIES = 8;
/** Before a document's id: what this tab remembers of the file whose upload began. */
const BEGUN = "slotcast.upload.";
/** How often a document that is being checked is asked for: each time is an entry of the audit trail. */
const AGAIN_MS = 2_000;

/** A refusal, by its code. */
export class Unsent extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

export interface Sending {
  booking: string;
  file: File;
  /** An upload of this file that was interrupted. */
  begun?: Doc | undefined;
  /** Told how much has arrived, from 0 to 1. */
  onShare: (share: number) => void;
  pause?: (ms: number) => Promise<void>;
}

const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

/** Send a file to its end. Throws Unsent. */
export async function handIn({ booking, file, begun, onShare, pause = sleep }: Sending): Promise<Doc> {
  if (file.size > FILE_BYTES_MAX) throw new Unsent("document_too_large");
  let doc = begun ?? (await begin(booking, file));
  let tries = 0;
  while (doc.state === "receiving") {
    onShare(doc.received / doc.size);
    const next = await sendPiece(doc, file);
    if (typeof next === "object") {
      doc = next;
      tries = 0;
      continue;
    }
    if (next !== "unreachable" && next !== "unavailable" && next !== "document_offset") throw new Unsent(next);
    tries += 1;
    if (tries >= TRIES) throw new Unsent(next);
    await pause(Math.min(500 * 2 ** tries, 15_000));
    const found = await api.GET("/v1/documents/{document_id}", {
      params: { path: { document_id: doc.document_id } },
    });
    if (found.data !== undefined) {
      if (found.data.received > doc.received) tries = 0;
      doc = found.data;
    } else if (found.error?.code === "document_not_found") throw new Unsent("document_not_found");
  }
  sessionStorage.removeItem(BEGUN + doc.document_id);
  onShare(1);
  return doc;
}

async function begin(booking: string, file: File): Promise<Doc> {
  const print = await printOf(file);
  const { data, error } = await api.POST("/v1/documents", {
    params: { header: { "Idempotency-Key": newKey() } },
    body: { booking_id: booking, name: file.name, size: file.size },
  });
  if (data === undefined) throw new Unsent(error?.code ?? "unreachable");
  sessionStorage.setItem(BEGUN + data.document_id, print);
  return data;
}

async function printOf(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  return String(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** Send one piece; the document after it, or the code of a refusal. */
async function sendPiece(doc: Doc, file: File): Promise<Doc | string> {
  const headers = new Headers({
    "Content-Type": "application/octet-stream",
    "Upload-Offset": String(doc.received),
  });
  const token = session.token();
  if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
  const answer = await fetch(`/v1/documents/${doc.document_id}/content`, {
    method: "PATCH",
    headers,
    body: file.slice(doc.received, doc.received + PIECE_BYTES),
  }).catch(() => Response.error());
  const isJson = answer.headers.get("content-type")?.includes("json") === true;
  const said = isJson ? ((await answer.json().catch(() => undefined)) as Doc & { code?: string }) : undefined;
  if (answer.ok && said !== undefined) return said;
  return said?.code ?? "unreachable";
}

/** An interrupted upload of this file, with all its bytes: phones give many photos one name. */
export async function interrupted(docs: readonly Doc[], file: File): Promise<Doc | undefined> {
  const alike = docs.filter((one) => one.state === "receiving" && one.size === file.size && one.name === file.name);
  if (alike.length === 0) return undefined;
  const print = await printOf(file);
  return alike.find((one) => sessionStorage.getItem(BEGUN + one.document_id) === print);
}

/** When documents that are being checked are asked for again, by how often they were: at most each minute. */
export const againAfter = (asked: number): number => AGAIN_MS * 2 ** Math.min(5, Math.floor(asked / 8));

/** Save an available document. The refusal's code, undefined if it is being saved. */
export async function save(doc: Doc): Promise<string | undefined> {
  const { data, error } = await api.POST("/v1/documents/{document_id}/links", {
    params: { path: { document_id: doc.document_id } },
  });
  if (data === undefined) return error?.code ?? "unreachable";
  const link = document.createElement("a");
  link.href = data.address;
  link.download = "";
  link.click();
  return undefined;
}
