/** A clinic's rooms and equipment, for pages of its staff. */
import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "../app/api";
import type { Context } from "../app/session";

export type Resource = Schemas["ResourceAnswer"];
export type ResourceKind = Resource["kind"];

export const KINDS: Record<ResourceKind, MessageDescriptor> = {
  room: msg`room`,
  equipment: msg`device`,
};

/** What was added a moment ago is known everywhere some seconds later. */
const AGAIN_MS = 1_000;
const TIMES = 5;

/**
 * All of a clinic, rooms first, those that are retired too; without a clinic none are asked for.
 * `wanted`: one that is waited for, if it is not among them yet.
 */
export function useResources(clinic: string | undefined, wanted?: string) {
  return useQuery({
    queryKey: ["resources", clinic],
    enabled: clinic !== undefined,
    retry: 1,
    refetchInterval: ({ state }) =>
      wanted !== undefined &&
      state.data !== undefined &&
      state.dataUpdateCount < TIMES &&
      !state.data.some((one) => one.resource_id === wanted)
        ? AGAIN_MS
        : false,
    queryFn: async () =>
      answered(await api.GET("/v1/clinics/{clinic_id}/resources", { params: { path: { clinic_id: clinic! } } })).items,
  });
}

/** The clinic of a member of its staff; operators name one. */
export function clinicOf({ role, subject, clinic_id }: Context, named: string | undefined): string | undefined {
  if (role === "admin") return named;
  return clinic_id ?? (role === "clinic_admin" || role === "staff" ? subject : undefined);
}

/** The address of the day of a room or device. */
export function hrefOf(room: string, date?: string): string {
  return `/desk/room/${room}/day${date === undefined ? "" : `?date=${date}`}`;
}
