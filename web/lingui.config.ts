import { defineConfig } from "@lingui/cli";

export default defineConfig({
  sourceLocale: "en",
  locales: ["en", "de", "ar"],
  catalogs: [{ path: "src/i18n/{locale}", include: ["src"] }],
});
