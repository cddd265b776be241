import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";

const NAMES: Record<string, MessageDescriptor> = {
  patient: msg`patient`,
  doctor: msg`doctor`,
  clinic_admin: msg`clinic`,
  admin: msg`operator`,
  guardian: msg`guardian`,
  staff: msg`reception`,
  auditor: msg`auditor`,
  service: msg`program`,
};

/** A role in words. */
export function roleName(role: string): MessageDescriptor {
  return NAMES[role] ?? { id: role, message: role };
}
