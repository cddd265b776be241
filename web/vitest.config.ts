import babel from "@rolldown/plugin-babel";
import { lingui } from "@lingui/vite-plugin";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [babel({ plugins: ["@lingui/babel-plugin-lingui-macro"] }), lingui()],
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
