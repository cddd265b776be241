import { getRouteApi } from "@tanstack/react-router";
import { OfRoom } from "./ofroom";
import { RoomDay } from "./roomday";
import { RoomHours } from "./roomhours";

const route = getRouteApi("/desk/room/$room/$view");

/** A room or device: its day, or when it can be used. */
export function RoomPage() {
  const { room, view } = route.useParams();
  return (
    <OfRoom key={`${room} ${view}`} id={room}>
      {(found) => (view === "hours" ? <RoomHours {...found} /> : <RoomDay {...found} />)}
    </OfRoom>
  );
}
