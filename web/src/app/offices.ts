/** Pages of staff: their long list of files is no part of what a patient loads. */
export const day = () => import("../desk/day");
export const waiting = () => import("../desk/waiting");
export const list = () => import("../desk/list");
export const hours = () => import("../desk/hours");
export const leave = () => import("../desk/leave");
export const room = () => import("../desk/roompage");
export const clinic = () => import("../clinic/clinic");
export const reports = () => import("../reports/reports");
export const clinicPart = () => import("../clinic/part");
export const glass = () => import("../clinic/glass");
export const users = () => import("../ops/users");
export const health = () => import("../ops/health");
export const specialties = () => import("../ops/specialties");
export const audit = () => import("../ops/audit");
export const notices = () => import("../ops/notices");
export const reviews = () => import("../reviews/moderate");
export const roles = () => import("../ops/roles");
