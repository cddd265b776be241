/**
 * What this page has of one topic, brought on by frames. Pure: no clock, no socket, no React.
 *
 * A snapshot replaces everything. A delta is applied if its epoch is ours and
 * `from <= mine < version`; it is skipped if `version <= mine`; otherwise something is missing
 * and the topic must be subscribed to again from where it stands. The same recorded frames give
 * the same states in the Python client (tests/samples/live_vectors).
 */
import type { ProviderItem } from "../app/api";
import type { Booking, Frame, Position, SlotState } from "./frames";

export interface View {
  epoch: number;
  version: number;
  /** Start (RFC 3339) to state; changed in place. */
  slots: Map<string, SlotState>;
  /** Starts in order; a new array only when a start came or went. */
  starts: readonly string[];
  bookings: Map<string, Booking>;
  /** The last frame that spoke of the inbox. */
  inbox?: Frame;
  /** The last frame that spoke of holds. */
  holds?: Frame;
  members: Map<string, ProviderItem>;
  /** The last frame that spoke of a list as a whole. */
  list?: Frame;
}

export type Step =
  | { kind: "applied"; changed: readonly string[]; shape: boolean }
  | { kind: "skipped" }
  | { kind: "gap" };

const UNKNOWN = -1;

export function emptyView(): View {
  return { epoch: 0, version: UNKNOWN, slots: new Map(), starts: [], bookings: new Map(), members: new Map() };
}

export function positionOf(view: View): Position | null {
  return view.version === UNKNOWN ? null : [view.epoch, view.version];
}

export function reduce(view: View, frame: Frame): Step {
  const epoch = frame.epoch ?? 0;
  const version = frame.version ?? 0;
  if (frame.t === "snapshot") return replace(view, frame, epoch, version);
  if (view.version === UNKNOWN || epoch !== view.epoch) return { kind: "gap" };
  if (version <= view.version) return { kind: "skipped" };
  if ((frame.from ?? 0) > view.version) return { kind: "gap" };
  const changed: string[] = [];
  let shape = false;
  for (const [start, state] of frame.slots ?? []) {
    const before = view.slots.get(start);
    if (state === "gone") {
      if (before === undefined) continue;
      view.slots.delete(start);
      shape = true;
    } else {
      if (before === state) continue;
      view.slots.set(start, state);
      shape ||= before === undefined;
    }
    changed.push(start);
  }
  for (const booking of frame.bookings ?? []) {
    view.bookings.set(booking.booking_id, booking);
    changed.push(booking.booking_id);
    shape = true;
  }
  view.version = version;
  if (frame.unread !== undefined) view.inbox = frame;
  takeMembers(view, frame);
  if (shape) view.starts = [...view.slots.keys()].sort();
  return { kind: "applied", changed, shape };
}

function replace(view: View, frame: Frame, epoch: number, version: number): Step {
  const before = view.slots;
  view.slots = new Map(frame.slots as [string, SlotState][] | undefined);
  view.bookings = new Map((frame.bookings ?? []).map((one) => [one.booking_id, one]));
  view.starts = [...view.slots.keys()].sort();
  if (frame.unread !== undefined) view.inbox = frame;
  view.members.clear();
  takeMembers(view, frame);
  view.epoch = epoch;
  view.version = version;
  const changed = new Set([...before.keys(), ...view.slots.keys()]);
  return { kind: "applied", changed: [...changed], shape: true };
}

function takeMembers(view: View, frame: Frame): void {
  if (frame.holds) view.holds = frame;
  for (const gone of frame.gone ?? []) view.members.delete(gone);
  for (const one of frame.members ?? []) view.members.set(one.provider_id, one);
  if (frame.order) view.list = frame;
}
