import { msg } from "@lingui/core/macro";
import type { IconName } from "../ui/icons";

/** The people of a demo site, who come in with one click. */
export const DEMO_PEOPLE = [
  {
    persona: "patient",
    icon: "person" as IconName,
    name: msg`A patient`,
    does: msg`Book, move and cancel visits`,
  },
  {
    persona: "doctor",
    icon: "doctor" as IconName,
    name: msg`A doctor`,
    does: msg`The day, as it changes`,
  },
  {
    persona: "clinic_admin",
    icon: "clinic" as IconName,
    name: msg`A clinic`,
    does: msg`Its doctors, hours and data`,
  },
  {
    persona: "admin",
    icon: "health" as IconName,
    name: msg`An operator`,
    does: msg`The health of the cluster`,
  },
];
