/** REST calls with the page's token; refusals are values with a code. */
import createClient from "openapi-fetch";
import type { components, paths } from "../api/rest";
import { session } from "./session";

export type Schemas = components["schemas"];
export type Provider = Schemas["ProviderBody"];
export type ProviderItem = Schemas["ProviderItem"];
export type Hold = Schemas["HoldBody"];
export type BookingRow = Schemas["BookingBody"];
export type Problem = Schemas["ProblemBody"];

export const api = createClient<paths>({ baseUrl: location.origin });

api.use({
  onRequest({ request }) {
    const token = session.token();
    if (token !== undefined) request.headers.set("Authorization", `Bearer ${token}`);
    return request;
  },
});

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
