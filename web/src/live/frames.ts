import type { ProviderItem } from "../app/api";

/** Frames of the live socket, as far as this app reads them; see /asyncapi.json. */
export type SlotState = "free" | "held" | "booked";
export type Position = readonly [epoch: number, version: number];

export interface Booking {
  booking_id: string;
  status: "booked" | "arrived" | "fulfilled" | "noshow" | "cancelled";
  provider_id: string;
  patient_id?: string;
  visit_type: string;
  start: string;
  end: string;
  reason?: string;
  stranded?: string;
  /** Of a group visit: the number of the seat. */
  seat?: number;
  /** Of an overbooked visit: which one beside the first it is. */
  lane?: number;
  /** Rooms and equipment that it has. */
  resources?: string[];
  /** On the calendar of a room: the visit that it is taken for, and whose it is. */
  visit?: string;
  visit_provider_id?: string;
  series_id?: string;
  series_number?: number;
  series_count?: number;
}

export interface Frame {
  t: string;
  topic?: string;
  epoch?: number;
  from?: number;
  version?: number;
  slots?: [start: string, state: SlotState | "gone"][];
  /** Of a group visit: how many more patients its free slots take. */
  seats_left?: Record<string, number>;
  bookings?: Booking[];
  /** On `search/…`: members that are new or changed, and the order of all of them by id. */
  members?: ProviderItem[];
  gone?: string[];
  order?: string[];
  total?: number;
  live?: boolean;
  next_cursor?: string | null;
  /** On `me`, with every change of the inbox. */
  unread?: number;
  notices?: { notice_id: string; read_at: string | null }[];
  /** On `me`: holds by id while their status is `held`. */
  holds?: { hold_id: string; status: string; offer?: boolean }[];
  id?: number | string | null;
  status?: number;
  code?: string;
  detail?: string;
  body?: unknown;
  now?: string;
  positions?: Record<string, [number, number]>;
  retry_ms?: [number, number] | number;
}
