// @vitest-environment jsdom
/** The preview of a series: what becomes of each date, and how many visits are booked. */
import { expect, test } from "vitest";
import type { Provider } from "../app/api";
import { ok, staged } from "../testing/stage";
import { RepeatDialog } from "./repeat";

const stage = staged({ role: "patient", subject: "pat_1" });

const provider = {
  provider_id: "prv_1",
  visit_types: [{ visit_type: "consult", title: "Consultation" }],
} as unknown as Provider;
const OTHER = "2026-12-08T10:00:00Z";
const DATES = [
  { number: 1, start: "2026-12-01T09:00:00Z", state: "free", alternatives: [] },
  { number: 2, start: "2026-12-08T09:00:00Z", state: "closed", alternatives: [OTHER] },
];

test("a date that cannot be had is left out, or has another time", async () => {
  stage.answers["POST /v1/series/preview"] = [ok({ dates: DATES })];
  stage.answers["POST /v1/series"] = [ok({}, 201)];
  await stage.show(<RepeatDialog provider={provider} zone="Europe/London" type="consult" onClose={() => undefined} />);
  await stage.click("Show the dates");
  expect(stage.find("Book").textContent).toBe("Book 1 of 2 visits");
  expect(stage.find("not offered then", ".chip")).toBeTruthy();
  await stage.click("10:00");
  expect(document.querySelector("s")?.textContent).toContain("09:00");
  expect(stage.find("another time", ".chip")).toBeTruthy();
  await stage.click("Book all 2 visits");
  expect(stage.of("POST /v1/series")[0]?.body).toMatchObject({ starts: [DATES[0]!.start, OTHER] });
});
