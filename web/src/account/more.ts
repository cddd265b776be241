import type { ComponentType } from "react";

/** Sections of the settings that other features bring. */
export const MORE_SETTINGS: ComponentType[] = [];
