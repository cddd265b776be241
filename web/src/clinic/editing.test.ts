import { expect, test } from "vitest";
import { merged } from "./editing";

const base = { name: "A", town: "Leeds", tags: ["x"] };

test("what was typed stays, and everything else is as it was saved meanwhile", () => {
  const latest = { name: "A", town: "York", tags: ["x", "y"] };
  const found = merged(base, { ...base, name: "B" }, latest);
  expect(found.values).toEqual({ name: "B", town: "York", tags: ["x", "y"] });
  expect(found.theirs).toEqual({});
});

test("a field that both changed says what was saved, and keeps what was typed", () => {
  const found = merged(base, { ...base, town: "Hull" }, { ...base, town: "York" });
  expect(found.values.town).toBe("Hull");
  expect(found.theirs).toEqual({ town: "York" });
});

test("the same change of both is no conflict", () => {
  expect(merged(base, { ...base, tags: ["y"] }, { ...base, tags: ["y"] }).theirs).toEqual({});
});

test("what is typed while a save is under way is not lost, and what the server tidied is taken", () => {
  const sent = { ...base, name: " B " };
  const typed = { ...sent, town: "Hull" };
  expect(merged(sent, typed, { ...base, name: "B" }).values).toEqual({ name: "B", town: "Hull", tags: ["x"] });
});
