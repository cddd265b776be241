/** The question of a report: what stands in the address, what is sent, what came of it. */
import type { Schemas } from "../app/api";
import { Refused, type Problem } from "../app/api";
import { addDays } from "../app/time";
import { session } from "../app/session";

export type Report = Schemas["ReportBody"];
export type ReportPeriod = Schemas["PeriodAnswer"];
export type ReportRow = Schemas["RowAnswer"];
export type ReportGroup = Schemas["GroupAnswer"];
export type Measure = Schemas["Measure"];
export type By = Schemas["By"];
export type Compare = Schemas["ComparedWith"];

export const MEASURES: readonly Measure[] = [
  "no_shows",
  "visits",
  "lead_time",
  "cancellations",
  "utilisation",
  "waiting",
  "response_time",
];
const BYS: readonly By[] = ["all", "day", "week", "month", "weekday", "provider", "place"];
const BYS_OF_VISITS: readonly By[] = [...BYS, "hour", "lead", "lead_fine", "visit_type", "age", "reminded"];
const COMPARES: readonly Compare[] = ["nothing", "previous", "year"];

/** What a measure can be asked by. */
export function bysOf(measure: Measure): readonly By[] {
  return ["visits", "no_shows", "lead_time", "cancellations"].includes(measure) ? BYS_OF_VISITS : BYS;
}

export interface Asked {
  measure: Measure;
  by: By;
  first: string;
  last: string;
  compare: Compare;
  providers: readonly string[];
  weekdays: readonly string[];
  lead_from: string;
  lead_to: string;
  ages: readonly string[];
  reminded: string;
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const LISTS = ["providers", "weekdays", "ages"] as const;
const TEXTS = ["lead_from", "lead_to", "reminded"] as const;

/** A question from an address; what it does not say is the last four weeks of missed visits by lead. */
export function askedOf(given: URLSearchParams, today: string): Asked {
  const one = <T extends string>(name: string, known: readonly T[], otherwise: T): T =>
    known.find((value) => value === given.get(name)) ?? otherwise;
  const date = (name: string, otherwise: string) => {
    const value = given.get(name) ?? "";
    return DATE.test(value) ? value : otherwise;
  };
  // The router writes repeated parameters in a form of its own: lists are one, with commas.
  const list = (name: string) => given.getAll(name).flatMap((value) => value.split(",").filter(Boolean));
  const measure = one("measure", MEASURES, "no_shows");
  // Filters that are not shown beside a measure do not hold for it.
  const has = bysOf(measure).includes("lead");
  const text = (name: string) => (has ? (given.get(name) ?? "") : "");
  return {
    measure,
    by: one("by", bysOf(measure), measure === "no_shows" ? "lead" : "week"),
    first: date("first", addDays(today, -28)),
    last: date("last", addDays(today, -1)),
    compare: one("compare", COMPARES, "nothing"),
    providers: list("providers"),
    weekdays: list("weekdays"),
    ages: has ? list("ages") : [],
    lead_from: text("lead_from"),
    lead_to: text("lead_to"),
    reminded: text("reminded"),
  };
}

/** The parameters of a question for the server. */
export function paramsOf(asked: Asked): URLSearchParams {
  const { measure, by, first, last, compare } = asked;
  const found = new URLSearchParams({ measure, by, first, last, compare });
  for (const name of LISTS) for (const value of asked[name]) found.append(name, value);
  for (const name of TEXTS) if (asked[name] !== "") found.set(name, asked[name]);
  return found;
}

/** The same for the address. */
export function addressOf(asked: Asked): string {
  const found = paramsOf(asked);
  for (const name of LISTS) if (asked[name].length > 0) found.set(name, asked[name].join(","));
  return `/clinic/reports?${found}`;
}

/** Ask the server, as the person who is signed in. Throws Refused. */
async function ask(path: string, params: URLSearchParams): Promise<Response> {
  const token = session.token();
  const send = () =>
    fetch(`${path}?${params}`, {
      headers: token === undefined ? {} : { Authorization: `Bearer ${session.token() ?? token}` },
    }).catch(() => Response.error());
  let response = await send();
  if (response.status === 403 && (await import("../app/proving").then((it) => it.isProved(response, "GET")))) {
    response = await send();
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({ code: "unreachable" }))) as Partial<Problem>;
  throw new Refused(problem);
}

/** Where the reports of a clinic are; without one those of the platform. */
function pathOf(clinic: string | undefined): string {
  return clinic === undefined ? "/v1/reports" : `/v1/clinics/${encodeURIComponent(clinic)}/reports`;
}

export async function readReport(clinic: string | undefined, asked: Asked): Promise<Report> {
  return (await ask(pathOf(clinic), paramsOf(asked))).json() as Promise<Report>;
}

/** A report as a file: its name and what is in it. */
export async function readFile(
  clinic: string | undefined,
  asked: Asked,
  format: Schemas["FileFormat"],
): Promise<{ name: string; content: Blob }> {
  const params = paramsOf(asked);
  params.set("format", format);
  const content = await (await ask(`${pathOf(clinic)}/file`, params)).blob();
  return { name: `${asked.measure}-${asked.by}-${asked.first}-${asked.last}.${format}`, content };
}
