/**
 * The seats that a group visit has left, by start, brought on by frames of its topic. Pure.
 *
 * The stream sends a snapshot first and then every delta; a line that breaks begins again with what
 * is missing, or with a snapshot.
 */
import type { Frame } from "../live/frames";

export type Left = ReadonlyMap<string, number>;

export function follow(left: Left, frame: Frame): Left {
  if (frame.t !== "snapshot" && frame.t !== "delta") return left;
  const found = new Map(frame.t === "snapshot" ? [] : left);
  for (const [start] of frame.slots ?? []) {
    const seats = frame.seats_left?.[start];
    if (seats === undefined) found.delete(start);
    else found.set(start, seats);
  }
  return found;
}
