import { defineConfig } from "@lingui/cli";

/** A catalogue per room, so that a patient never loads the sentences of staff. */
const ROOMS = {
  patient: ["src/app", "src/ui", "src/live", "src/patient"],
  account: ["src/account"],
  desk: ["src/desk"],
  clinic: ["src/clinic"],
  ops: ["src/ops"],
};

export default defineConfig({
  sourceLocale: "en",
  locales: ["en", "de", "ar"],
  catalogs: Object.entries(ROOMS).map(([room, include]) => ({
    path: `src/i18n/${room}/{locale}`,
    include,
  })),
});
