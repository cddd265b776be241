/** Places in the waiting list: who is more urgent first, then who waits longer. Pure. */

export const PRIORITY_MAX = 3;

export interface Queued {
  entry_id: string;
  priority: number;
  since: string;
}

const PRIORITIES = Array.from({ length: 2 * PRIORITY_MAX + 1 }, (_, index) => index - PRIORITY_MAX);

/** The place of an entry with a priority, from 1. */
function placeWith(rows: readonly Queued[], entry: Queued, priority: number): number {
  const isBefore = (one: Queued) =>
    one.priority !== priority
      ? one.priority > priority
      : one.since !== entry.since
        ? Date.parse(one.since) < Date.parse(entry.since)
        : one.entry_id < entry.entry_id;
  return 1 + rows.filter((one) => one.entry_id !== entry.entry_id && isBefore(one)).length;
}

/**
 * The places that an entry can have, in order, each with the priority that gives it; of several the
 * one nearest to the present. Among equally urgent patients the time of waiting decides, so not
 * every place can be had.
 */
export function placesOf(rows: readonly Queued[], entry: Queued): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  const away = (priority: number) => Math.abs(priority - entry.priority);
  for (const priority of [...PRIORITIES].sort((a, b) => away(a) - away(b))) {
    const place = placeWith(rows, entry, priority);
    if (!found.has(place)) found.set(place, priority);
  }
  return new Map([...found].sort(([a], [b]) => a - b));
}

/** The place nearest to a wanted one, on the same side of the present place; undefined if there is none. */
export function nearestPlace(rows: readonly Queued[], entry: Queued, wanted: number): number | undefined {
  const now = placeWith(rows, entry, entry.priority);
  const away = (place: number) => Math.abs(place - wanted);
  return [...placesOf(rows, entry).keys()]
    .filter((place) => (wanted < now ? place < now : place > now))
    .sort((a, b) => away(a) - away(b))[0];
}
