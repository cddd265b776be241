import type { ComponentType } from "react";
import { Factors } from "./factors";
import { Providers } from "./outside";
import { People } from "./people";
import { Privacy } from "./privacy";
import { Profile } from "./profile";

/** Sections of the settings that other features bring. */
export const MORE_SETTINGS: ComponentType[] = [Profile, People, Factors, Providers, Privacy];
