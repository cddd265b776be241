import { defineConfig } from "@lingui/cli";

/** A catalogue per room, so that a patient never loads the sentences of staff. */
const LATER = [
  ...["board", "combo", "demo", "hold", "refine", "refused", "visits"].map((name) => `src/patient/${name}.tsx`),
  "src/patient/changes.ts",
  "src/app/demo.ts",
  "src/app/refusals.ts",
];
/** What is loaded by itself: what stands under a doctor's times, and describing a complaint. */
const ASIDE = ["src/patient/about.tsx", "src/patient/symptoms.tsx"];
/** Its sentences are with others that few patients see. */
const SEATS = "src/patient/seats.tsx";
const ROOMS: Record<string, string[]> = {
  patient: ["src/app", "src/ui", "src/live", "src/patient"],
  // What the first paint does not need.
  later: LATER,
  about: ASIDE,
  account: ["src/account", "src/series", "src/resources", SEATS],
  waiting: ["src/waiting"],
  documents: ["src/documents"],
  desk: ["src/desk"],
  clinic: ["src/clinic"],
  reports: ["src/reports"],
  ops: ["src/ops"],
  reviews: ["src/reviews"],
};

export default defineConfig({
  sourceLocale: "en",
  locales: ["en", "de", "ar"],
  catalogs: Object.entries(ROOMS).map(([room, include]) => ({
    path: `src/i18n/${room}/{locale}`,
    include,
    exclude: room === "patient" ? [...LATER, ...ASIDE, SEATS] : [],
  })),
});
