import { useState } from "react";
import { newKey } from "./api";

/**
 * Idempotency keys by wish: the same wish is done once, however often it is sent. Once it was
 * refused it is forgotten, for the next attempt is a wish of its own.
 */
export function useKeys() {
  return useState(() => {
    const keys = new Map<string, string>();
    return {
      of(wanted: object): string {
        const text = JSON.stringify(wanted);
        const key = keys.get(text) ?? newKey();
        keys.set(text, key);
        return key;
      },
      forget(wanted: object): void {
        keys.delete(JSON.stringify(wanted));
      },
    };
  })[0];
}
