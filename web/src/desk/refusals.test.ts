import { expect, test } from "vitest";
import { visitRefusal } from "./refusals";

test("a taken time of a visit that needs rooms is told so, and no other refusal is", () => {
  expect(visitRefusal("slot_unavailable", true).message).toContain("no room or device");
  expect(visitRefusal("slot_unavailable", false).message).not.toContain("room");
  expect(visitRefusal("too_late", true)).toEqual(visitRefusal("too_late", false));
});
