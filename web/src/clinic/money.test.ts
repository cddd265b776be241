import { expect, test } from "vitest";
import { amountOf, priceOf } from "./money";

test("an amount is read as it is written in any of the languages", () => {
  expect(["65", "65.5", "65,50", " 0.29 ", "٦٥٫٥٠"].map((one) => priceOf(one, "EUR"))).toEqual([6500, 6550, 6550, 29, 6550]);
  expect(priceOf("1200", "JPY")).toBe(1200);
  expect(priceOf("1.250", "KWD")).toBe(1250);
});

test("what is no amount of the currency is none", () => {
  for (const one of ["", "x", "-1", "1.234", "1,000.00", "1e3"]) expect(priceOf(one, "EUR")).toBeUndefined();
  expect(priceOf("1.5", "JPY")).toBeUndefined();
});

test("what is kept comes back as it was typed", () => {
  for (const cents of [0, 5, 29, 6500, 123456]) expect(priceOf(amountOf(cents, "EUR"), "EUR")).toBe(cents);
});
