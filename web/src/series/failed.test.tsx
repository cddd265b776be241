// @vitest-environment jsdom
/** The dialogs of series after a request that failed: they work again, and nothing is done twice. */
import { expect, test } from "vitest";
import type { Provider } from "../app/api";
import { LOST, ok, refused, staged } from "../testing/stage";
import { RepeatDialog } from "./repeat";
import { SeriesDialog } from "./whole";

const stage = staged({ role: "patient", subject: "pat_1" });

const NINE = "2026-12-01T09:00:00Z";
const TEN = "2026-12-01T10:00:00Z";
const zone = "Europe/London";
const provider = {
  provider_id: "prv_1",
  visit_types: [{ visit_type: "consult", title: "Consultation" }],
} as unknown as Provider;
const series = (state: string) => ({
  ...{ series_id: "srs_1", provider_id: "prv_1", visit_type: "consult", time_zone: zone },
  visits: [
    {
      ...{ number: 1, start: NINE, state, status: state === "placed" ? "booked" : null },
      ...{ booking_id: state === "placed" ? "bkg_1.1" : null, alternatives: [TEN] },
    },
  ],
});
const READ = "GET /v1/series/srs_1";
const MOVE = "POST /v1/series/srs_1/move";
const done = () => ok({ results: [{ number: 1, done: true, code: null }], series: series("placed") });

/** The first request was lost, and the second has its key. */
function expectOnce(what: string): void {
  const [first, again, ...more] = stage.of(what);
  expect(more).toEqual([]);
  expect(again).toEqual(first);
  expect(first?.key).toBeTruthy();
}

test("a series is placed once", async () => {
  stage.answers["POST /v1/series/preview"] = [
    LOST,
    ok({ dates: [{ number: 1, start: NINE, state: "free", alternatives: [] }] }),
  ];
  stage.answers["POST /v1/series"] = [LOST, ok({}, 201)];
  await stage.show(<RepeatDialog provider={provider} zone={zone} type="consult" onClose={() => undefined} />);
  await stage.click("Show the dates");
  expect(stage.alert()).toContain("did not work");
  await stage.click("Show the dates");
  expect(stage.alert()).toBe("");
  await stage.click("Book 1 visit");
  expect(stage.alert()).toContain("did not work");
  await stage.click("Book 1 visit");
  expectOnce("POST /v1/series");
  expect(stage.find("are booked", "h2").textContent).toBe("All visits are booked");
});

test("visits of a series are cancelled once", async () => {
  const what = "POST /v1/series/srs_1/cancel";
  stage.answers[READ] = [ok(series("placed"))];
  stage.answers[what] = [LOST, done()];
  await stage.show(<SeriesDialog name="srs_1" first={1} initially="cancel" onClose={() => undefined} />);
  await stage.click("Cancel visits");
  expect(stage.alert()).toContain("did not work");
  await stage.click("Cancel visits");
  expectOnce(what);
  expect(stage.find("was changed", "p").textContent).toBe("1 visit was changed.");
});

test("a visit of a series is moved once, and free times that are not known are not denied", async () => {
  const slots = "GET /v1/providers/prv_1/slots";
  stage.answers[READ] = [ok(series("placed"))];
  stage.answers[slots] = [LOST, ok({ slots: [{ start: TEN, state: "free" }] })];
  stage.answers[MOVE] = [LOST, refused("slot_unavailable"), done()];
  await stage.show(<SeriesDialog name="srs_1" first={1} initially="move" onClose={() => undefined} />);
  expect(document.body.textContent).not.toContain("No free time");
  await stage.click("Try again");
  await stage.click("10:00");
  await stage.click("Move");
  await stage.click("Move");
  expectOnce(MOVE);
  expect(stage.alert()).toContain("a moment faster");
  await stage.click("Move");
  expect(stage.of(MOVE)[2]?.key).not.toBe(stage.of(MOVE)[1]?.key);
});

test("another time for a visit that could not be booked is taken once, or it is said why not", async () => {
  stage.answers[READ] = [ok(series("failed"))];
  stage.answers[MOVE] = [LOST, done()];
  await stage.show(<SeriesDialog name="srs_1" first={1} onClose={() => undefined} />);
  await stage.click("10:00");
  expect(stage.alert()).toContain("did not work");
  await stage.click("10:00");
  expectOnce(MOVE);
});
