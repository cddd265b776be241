// @vitest-environment jsdom
/** The waiting list's dialogs after a request that failed: they work again, and nothing is done twice. */
import { expect, test, vi } from "vitest";
import type { Provider } from "../app/api";
import { LOST, ok, refused, staged } from "../testing/stage";

vi.mock(import("../i18n"), async (original) => ({ ...(await original()), enter: () => Promise.resolve() }));

const { MyWaiting } = await import("./mine");
const { Offers } = await import("./offer");
const { WishDialog } = await import("./wish");

const stage = staged({ role: "patient", subject: "pat_1" });

const NINE = "2026-12-01T09:00:00Z";
const provider = {
  provider_id: "prv_1",
  name: "Dr One",
  clinic: { clinic_id: "cln_1", name: "Clinic", time_zone: "Europe/London" },
  locations: [],
  specialty: "general practice",
  visit_types: [],
} as unknown as Provider;
const entry = {
  ...{ entry_id: "wte_1", scope: "provider", subject: "prv_1", booking_id: null, visit_type: "", days: [] },
  ...{ opens: 0, closes: 1440, last_day: null, notice: 120, since: NINE, paused: false, declines: 0, ahead: 0 },
};

function expectOnce(what: string): void {
  const [first, again, ...more] = stage.of(what);
  expect(more).toEqual([]);
  expect(again).toEqual(first);
}

test("a wish is put on the list once", async () => {
  stage.answers["GET /v1/waiting"] = [ok({ items: [] })];
  stage.answers["POST /v1/waiting"] = [LOST, refused("unavailable", 503), ok(entry, 201)];
  await stage.show(<WishDialog target={{ provider }} onClose={() => undefined} />);
  for (let press = 0; press < 3; press += 1) await stage.click("Put me on the list");
  const sent = stage.of("POST /v1/waiting");
  expect(new Set(sent.map((one) => one.key)).size).toBe(1);
  expect(stage.find("You are on the list", "h2")).toBeTruthy();
});

test("waiting is paused, and given up, although the line was broken", async () => {
  stage.answers["GET /v1/waiting"] = [ok({ items: [entry] })];
  stage.answers["GET /v1/providers/prv_1"] = [ok(provider)];
  stage.answers["PATCH /v1/waiting/wte_1"] = [LOST, ok(entry)];
  stage.answers["DELETE /v1/waiting/wte_1"] = [LOST, refused("waiting_not_found", 404)];
  await stage.show(<MyWaiting />);
  await stage.click("Pause");
  expect(stage.alert()).toContain("did not work");
  await stage.click("Pause");
  expect(stage.alert()).toBe("");
  expectOnce("PATCH /v1/waiting/wte_1");
  await stage.click("Stop waiting");
  await stage.click("Stop waiting");
  expect(stage.alert()).toContain("did not work");
  await stage.click("Stop waiting");
  expect(stage.of("DELETE /v1/waiting/wte_1")).toHaveLength(2);
  expect(stage.hasDialog()).toBe(false);
});

test("an offer is taken, or declined, once", async () => {
  const offer = {
    ...{ hold_id: "hld_1.a", provider_id: "prv_1", visit_type: "consult", start: "2099-12-01T09:00:00Z" },
    ...{ expires_at: "2099-11-30T09:00:00Z", expires_in_ms: 600_000, booking_id: null },
  };
  const accept = "POST /v1/waiting/offers/hld_1.a/accept";
  const decline = "POST /v1/waiting/offers/hld_1.a/decline";
  stage.answers["GET /v1/waiting/offers"] = [ok({ items: [offer] })];
  stage.answers["GET /v1/providers/prv_1"] = [ok(provider)];
  stage.answers[accept] = [LOST, refused("overlap"), refused("overlap")];
  stage.answers[decline] = [LOST, ok()];
  await stage.show(<Offers isPage />);
  await stage.click("Take it");
  expect(stage.alert()).toContain("did not reach us");
  await stage.click("Take it");
  expectOnce(accept);
  expect(stage.alert()).toContain("another visit");
  await stage.click("Take it");
  expect(stage.of(accept)[2]?.key).not.toBe(stage.of(accept)[1]?.key);
  await stage.click("No, thanks");
  await stage.click("No, thanks");
  expectOnce(decline);
  expect(document.body.textContent).toContain("the next who waits is asked now");
});
