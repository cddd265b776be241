import { getRouteApi } from "@tanstack/react-router";
import { NotFound } from "../app/missing";
import { EditClinicPage } from "./edit";
import { RoomsPage } from "./rooms";

const route = getRouteApi("/clinic/$part");

/** A page beneath a clinic's own: its data, or its rooms and equipment. */
export function ClinicPart() {
  const { part } = route.useParams();
  return part === "edit" ? <EditClinicPage /> : part === "rooms" ? <RoomsPage /> : <NotFound />;
}
