import "./desk.css";
import { Trans } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { answered, api, type Schemas } from "../app/api";
import { useFollow } from "../app/shell";
import { Gate } from "../ui/gate";
import { clinicOf, useResources, type Resource } from "./resources";

export interface OfRoomProps {
  room: Resource;
  clinic: Schemas["ClinicBody"];
}

interface Props {
  id: string;
  children: (found: OfRoomProps) => ReactNode;
}

/** A page of a room or device: for the people of its clinic. */
export function OfRoom(props: Props) {
  return <Gate>{(context) => <Known {...props} clinicId={clinicOf(context, undefined)} />}</Gate>;
}

function Known({ id, children, clinicId }: Props & { clinicId: string | undefined }) {
  const all = useResources(clinicId, id);
  const clinic = useQuery({
    queryKey: ["clinic", clinicId],
    enabled: clinicId !== undefined,
    queryFn: async () =>
      answered(await api.GET("/v1/clinics/{clinic_id}", { params: { path: { clinic_id: clinicId! } } })),
  });
  const room = all.data?.find((one) => one.resource_id === id);
  if (clinicId === undefined || all.isError || clinic.isError || (all.data !== undefined && room === undefined)) {
    return (
      <div className="stack">
        <h1>
          <Trans>Rooms and equipment</Trans>
        </h1>
        <p className="notice bad" role="alert">
          <Trans>Your clinic has no such room or device, or it could not be loaded.</Trans>
        </p>
      </div>
    );
  }
  if (room === undefined || clinic.data === undefined) return <div className="card page-room" aria-busy="true" />;
  return children({ room, clinic: clinic.data });
}

/** What a room or device is fit for. */
export function Tags({ tags }: { tags: readonly string[] }) {
  return tags.map((one) => (
    <span key={one} className="chip plain">
      <bdi>{one}</bdi>
    </span>
  ));
}

/** The way to all of them. */
export function ToRooms() {
  const follow = useFollow();
  return (
    <p>
      <a href="/clinic/rooms" onClick={follow}>
        <Trans>Rooms and equipment</Trans>
      </a>
    </p>
  );
}
