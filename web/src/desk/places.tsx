import { Trans } from "@lingui/react/macro";
import { Places, type Place } from "../app/shell";
import type { Context } from "../app/session";
import { enter } from "../i18n";

// Not shown before its sentences are here.
await enter("desk");

const FIND: Place = { href: "/", icon: "search", name: <Trans>Find a time</Trans> };
const CLINIC: Place = { href: "/clinic", icon: "clinic", name: <Trans>Clinic</Trans> };
const AUDIT: Place = { href: "/ops/audit", icon: "shield", name: <Trans>Audit</Trans> };

/** The rooms of staff: a person sees no door that is closed to them. Patients never load it. */
export default function StaffPlaces({ context }: { context: Context }) {
  return <Places places={placesOf(context)} />;
}

function placesOf({ role, subject }: Context): readonly Place[] {
  switch (role) {
    case "doctor":
      return [
        { href: `/desk/day/${subject}`, icon: "visits", name: <Trans>My day</Trans> },
        { href: `/desk/waiting/${subject}`, icon: "person", name: <Trans>Waiting room</Trans> },
        { href: `/desk/list/${subject}`, icon: "list", name: <Trans>Waiting list</Trans> },
        { href: `/desk/hours/${subject}`, icon: "hours", name: <Trans>Hours</Trans> },
        { href: `/desk/leave/${subject}`, icon: "leave", name: <Trans>Leave</Trans> },
      ];
    case "clinic_admin":
      return [FIND, CLINIC, AUDIT];
    case "staff":
      return [FIND, CLINIC];
    case "admin":
      return [
        FIND,
        { href: "/clinic", icon: "clinic", name: <Trans>Clinics</Trans> },
        { href: "/ops/health", icon: "health", name: <Trans>Health</Trans> },
        { href: "/ops/users", icon: "person", name: <Trans>Users</Trans> },
      ];
    default:
      return [FIND, AUDIT];
  }
}
