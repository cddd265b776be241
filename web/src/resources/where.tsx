import { Trans } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { Fragment } from "react";
import { answered, api, type Schemas } from "../app/api";
import { Icon } from "../ui/icons";
import { whereOf, type At } from "./ways";

/** In which room a visit takes place, and with which equipment; nothing of one that takes none. */
export function Where({ visit }: { visit: At }) {
  const { booking_id } = visit;
  const found = useQuery({
    queryKey: whereOf(visit),
    retry: 1,
    queryFn: async () =>
      answered(await api.GET("/v1/bookings/{booking_id}/resources", { params: { path: { booking_id } } })).items,
  });
  const rooms = (found.data ?? []).filter((one) => one.kind === "room");
  const devices = (found.data ?? []).filter((one) => one.kind === "equipment");
  if (rooms.length + devices.length === 0) return null;
  return (
    <p className="row where">
      <Icon name="near" />
      <span>
        {rooms.length > 0 && (
          <Trans>
            Where: <Names of={rooms} />
          </Trans>
        )}
        {rooms.length > 0 && devices.length > 0 && <> · </>}
        {devices.length > 0 && (
          <Trans>
            With: <Names of={devices} />
          </Trans>
        )}
      </span>
    </p>
  );
}

function Names({ of }: { of: readonly Schemas["BookedResource"][] }) {
  return of.map((one, index) => (
    <Fragment key={one.resource_id}>
      {index > 0 && ", "}
      <strong>
        <bdi>{one.name}</bdi>
      </strong>
    </Fragment>
  ));
}
