// @vitest-environment jsdom
/** Choosing another time while the line breaks: the page stays, and the visit is moved once. */
import { expect, test, vi } from "vitest";
import { LOST, ok, refused, staged } from "../testing/stage";

vi.mock(import("@tanstack/react-router"), async (original) => ({
  ...(await original()),
  useParams: (() => ({ booking: "bkg_1.1" })) as never,
}));
vi.mock(import("../app/links"), async (original) => ({ ...(await original()), linkToken: () => "secret" }));

const { ChoosePage, InsteadPage } = await import("./choose");

const stage = staged({ role: "patient", subject: "pat_1" });

const NINE = "2026-12-01T09:00:00Z";
const time = {
  ...{ provider_id: "prv_2", provider: "Dr Two", clinic: "Clinic", address: "", start: NINE, end: NINE },
  ...{ time_zone: "Europe/London", same_provider: false, same_clinic: true },
};
const shown = (state: string) => ({
  ...{ state, outcome: state === "resolved" ? "moved" : null, provider: "Dr One", clinic: "Clinic" },
  ...{ address: "", phone: "", time_zone: "Europe/London", start: NINE, end: NINE, answer_by: null },
  ...{ equivalents: state === "open" ? [time] : [], moved_to: state === "open" ? null : time },
});

test.each([
  ["signed in", <InsteadPage key="in" />, "/v1/bookings/bkg_1.1/equivalents"],
  ["by a link", <ChoosePage key="link" />, "/v1/equivalents/secret"],
])("a time is taken once (%s)", async (_, page, path) => {
  stage.answers[`GET ${path}`] = [ok(shown("open")), LOST];
  stage.answers[`POST ${path}`] = [LOST, ok(shown("resolved"))];
  await stage.show(page);
  await stage.click("Take this time");
  expect(stage.alert()).toContain("did not work");
  expect(document.body.textContent).not.toContain("nothing to choose");
  await stage.click("Take this time");
  const [first, again] = stage.of(`POST ${path}`);
  expect(again).toEqual(first);
  expect(stage.find("was moved", "h1").textContent).toBe("Your visit was moved");
});

test("a page that was not reached is loaded again, and does not call its link dead", async () => {
  const path = "/v1/equivalents/secret";
  stage.answers[`GET ${path}`] = [LOST, refused("unavailable", 503), ok(shown("open"))];
  await stage.show(<ChoosePage />);
  for (let press = 0; press < 2; press += 1) {
    expect(stage.alert()).toContain("could not be loaded");
    await stage.click("Try again");
  }
  expect(stage.find("Take this time")).toBeTruthy();
});

test("a link that is dead says so", async () => {
  stage.answers["GET /v1/equivalents/secret"] = [refused("link_expired", 404)];
  await stage.show(<ChoosePage />);
  expect(stage.alert()).toContain("does not work any more");
});
