/**
 * What changes on a grid of times while a person looks at it: shown by a ring that fades, and
 * told to those who listen, at most one sentence in ten seconds. One observer for all cells.
 */
import { plural, t } from "@lingui/core/macro";
import type { RefObject } from "react";
import { speakOut } from "../ui/spoken";

/** More changes than this in one frame are a burst: ringing them all would tell nothing. */
const RINGS_MAX = 12;
const RING_MS = 900;
const SPOKEN_EVERY_MS = 10_000;

/** Watch the cells in a box until the signal ends it. */
export function watchChanges({ current: box }: RefObject<HTMLElement | null>, left: AbortSignal): void {
  if (left.aborted || box === null) return;
  let taken = 0;
  let free = 0;
  let spokenAt = -Infinity;
  let timer = 0;
  const tell = () => {
    timer = 0;
    spokenAt = performance.now();
    const words = [
      taken > 0 && t`${plural(taken, { one: "# time taken", other: "# times taken" })}`,
      free > 0 && t`${plural(free, { one: "# time free again", other: "# times free again" })}`,
    ];
    taken = free = 0;
    speakOut(words.filter(Boolean).join(", "));
  };
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const observer = new MutationObserver((records) => {
    const changed = new Map<HTMLElement, string | null>();
    for (const { target, oldValue } of records) {
      if (!changed.has(target as HTMLElement)) changed.set(target as HTMLElement, oldValue);
    }
    const cells: HTMLElement[] = [];
    for (const [cell, before] of changed) {
      const now = cell.dataset["state"];
      if (before === "free" && (now === "held" || now === "booked")) taken += 1;
      else if (now === "free" && (before === "held" || before === "booked")) free += 1;
      else continue;
      cells.push(cell);
    }
    if (cells.length === 0) return;
    timer ||= window.setTimeout(tell, Math.max(0, spokenAt + SPOKEN_EVERY_MS - performance.now()));
    if (!isStill && cells.length <= RINGS_MAX) cells.forEach(ring);
  });
  observer.observe(box, {
    attributes: true,
    attributeFilter: ["data-state"],
    attributeOldValue: true,
    subtree: true,
  });
  left.addEventListener("abort", () => {
    observer.disconnect();
    clearTimeout(timer);
  });
}

/** Never under the pointer or the focus: what a person is about to press must not flash. */
function ring(cell: HTMLElement): void {
  if (cell.matches(":hover, :focus")) return;
  for (const before of cell.getAnimations()) before.cancel();
  cell.animate([{ boxShadow: "inset 0 0 0 2px var(--focus)" }, { boxShadow: "inset 0 0 0 2px transparent" }], {
    duration: RING_MS,
    easing: "ease-out",
  });
}
