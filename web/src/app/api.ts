/**
 * REST calls with the page's token; refusals are values with a code. The types are those of
 * openapi-fetch over the served document; its code would be two kilobytes for what is here.
 */
import type { Client } from "openapi-fetch";
import type { components, paths } from "../api/rest";
import { session } from "./session";

export type Schemas = components["schemas"];
export type Provider = Schemas["ProviderBody"];
export type ProviderItem = Schemas["ProviderItem"];
export type ProviderList = Schemas["ProviderList"];
export type Hold = Schemas["HoldBody"];
export type BookingRow = Schemas["BookingBody"];
export type Problem = Schemas["ProblemBody"];

interface Asked {
  params?: {
    path?: Record<string, string>;
    query?: Record<string, unknown>;
    header?: Record<string, string | undefined>;
  };
  headers?: Record<string, string>;
  body?: unknown;
}

/** Loaded by the first refusal; without a line the refusal stays what it is. */
const isProved = (refused: Response, method: string) =>
  import("./proving").then((it) => it.isProved(refused, method)).catch(() => false);

function call(method: string) {
  return async (template: string, { params = {}, headers = {}, body }: Asked = {}) => {
    const path = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params.path?.[name] ?? ""));
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(params.query ?? {})) {
      if (value !== undefined && value !== null) query.append(name, String(value));
    }
    const told = new Headers(headers);
    for (const [name, value] of Object.entries(params.header ?? {})) if (value) told.set(name, value);
    if (body !== undefined) told.set("Content-Type", "application/json");
    const send = () => {
      const token = session.token();
      if (token !== undefined) told.set("Authorization", `Bearer ${token}`);
      // Without a line there is no answer: that is a refusal too, not an exception.
      return fetch(path + (query.size > 0 ? `?${query}` : ""), {
        method,
        headers: told,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }).catch(() => Response.error());
    };
    let response = await send();
    if (response.status === 403 && (await isProved(response, method))) response = await send();
    const isJson = response.headers.get("content-type")?.includes("json") === true;
    const text = isJson ? await response.text().catch(() => "") : "";
    const found: unknown = text === "" ? undefined : JSON.parse(text);
    return response.ok ? { data: found, response } : { error: found ?? { code: "unreachable" }, response };
  };
}

export const api = {
  GET: call("GET"),
  POST: call("POST"),
  PUT: call("PUT"),
  PATCH: call("PATCH"),
  DELETE: call("DELETE"),
} as unknown as Pick<Client<paths>, "GET" | "POST" | "PUT" | "PATCH" | "DELETE">;

/** A refusal of the server, thrown so that queries and mutations see it. */
export class Refused extends Error {
  constructor(readonly problem: Partial<Problem> & { status?: number }) {
    super(problem.detail ?? problem.title ?? "The server did not answer.");
  }
  get code(): string {
    return this.problem.code ?? "unavailable";
  }
}

/** The data of an answer. Throws Refused. */
export function answered<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.error !== undefined || answer.data === undefined) {
    throw new Refused((answer.error ?? {}) as Partial<Problem>);
  }
  return answer.data;
}

/** A fresh idempotency key: one per intention of a person, kept over every retry. */
export function newKey(): string {
  return crypto.randomUUID();
}
