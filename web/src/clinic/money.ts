/** Prices: minor units on the wire, amounts as people write them in the form. */

/** How many decimals a currency has: 2 of EUR, 0 of JPY, 3 of KWD. */
export function decimalsOf(currency: string): number {
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    return 2;
  }
}

/** "65.00" of 6500 cents. */
export function amountOf(price: number, currency: string): string {
  const decimals = decimalsOf(currency);
  return (price / 10 ** decimals).toFixed(decimals);
}

/** 6500 of "65", "65.00", "65,00" or "٦٥"; undefined if it is no amount of the currency. */
export function priceOf(text: string, currency: string): number | undefined {
  const plain = text
    .trim()
    .replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x660))
    .replace(/[,٫]/, ".");
  const found = /^(\d{1,9})(?:\.(\d+))?$/.exec(plain);
  const decimals = decimalsOf(currency);
  if (found === null || (found[2] ?? "").length > decimals) return undefined;
  // As digits, not as a fraction: 0.29 · 100 is not 29.
  return Number(found[1]! + (found[2] ?? "").padEnd(decimals, "0"));
}
