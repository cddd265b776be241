import type { ComponentType } from "react";
import { Factors } from "./factors";

/** Sections of the settings that other features bring. */
export const MORE_SETTINGS: ComponentType[] = [Factors];
