/** Cards of a list that change their places, without losing the place of who reads. */

const MOVE_MS = 300;

interface Place {
  /** As it is seen: it may be on its way. */
  seen: DOMRect;
  top: number;
}

export interface Places {
  list: HTMLElement;
  at: Map<HTMLElement, Place>;
  focused: Element | null;
}

/** Where the cards of the results are, and what has the focus among them. */
export function rememberPlaces(): Places | undefined {
  const list = document.querySelector<HTMLElement>(".results");
  if (list === null) return undefined;
  const cards = [...list.children] as HTMLElement[];
  const at = new Map(cards.map((card) => [card, { seen: card.getBoundingClientRect(), top: card.offsetTop }]));
  const { activeElement } = document;
  return { list, at, focused: list.contains(activeElement) ? activeElement : null };
}

/** Let cards move from where they were; the page scrolls so that most of what is read stays. */
export function moved(before: Places | undefined): void {
  if (before === undefined) return;
  const { list, at, focused } = before;
  // A card that is put elsewhere in the page loses the focus.
  if (focused instanceof HTMLElement && focused.isConnected && document.activeElement !== focused) {
    focused.focus({ preventScroll: true });
  }
  // The browser would follow whichever card it has chosen, as far as it goes.
  list.style.overflowAnchor = "none";
  const shift = shiftOf(list, at, focused);
  if (shift !== 0) scrollBy({ top: shift, behavior: "instant" });
  if (document.hidden || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const card of [...list.children] as HTMLElement[]) {
    card.getAnimations().forEach((one) => one.cancel());
    const was = at.get(card)?.seen;
    const is = card.getBoundingClientRect();
    if (was === undefined) card.animate({ opacity: [0, 1] }, MOVE_MS);
    else if (was.top !== is.top || was.left !== is.left) {
      const from = `translate(${was.left - is.left}px, ${was.top - is.top}px)`;
      card.animate({ transform: [from, "none"] }, { duration: MOVE_MS, easing: "ease-out" });
    }
  }
}

/**
 * By how much the page is to scroll: with the card that has the focus, else as most cards in view
 * have moved. While the head of the list is in view, its new head is what a reader waits for.
 */
function shiftOf(list: HTMLElement, at: Places["at"], focused: Element | null): number {
  const holder = [...at.keys()].find((card) => focused !== null && card.contains(focused));
  const height = document.documentElement.clientHeight;
  if (holder?.isConnected) {
    // It is followed only if it would leave the view.
    const is = holder.getBoundingClientRect();
    return is.top >= 0 && is.bottom <= height ? 0 : holder.offsetTop - at.get(holder)!.top;
  }
  if (list.getBoundingClientRect().top >= 0) return 0;
  const shifts: number[] = [];
  for (const [card, { seen, top }] of at) {
    if (card.isConnected && seen.bottom > 0 && seen.top < height) shifts.push(card.offsetTop - top);
  }
  shifts.sort((a, b) => a - b);
  return shifts[Math.floor(shifts.length / 2)] ?? 0;
}
