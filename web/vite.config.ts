import babel from "@rolldown/plugin-babel";
import { lingui } from "@lingui/vite-plugin";
import react from "@vitejs/plugin-react";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build, defineConfig, type Plugin } from "vite";
import { drawIcons } from "./tools/icons.ts";

/** Rooms whose pages and sentences a patient never loads. */
const STAFF = /src\/(desk|clinic|ops)\/|i18n\/(desk|clinic|ops)\//;

/**
 * After the app: the service worker, which knows this build's files; the icons; a .br and a .gz
 * twin beside each text file, so that the server compresses nothing.
 */
function finished(): Plugin {
  let folder = "dist";
  let shell: string[] = [];
  return {
    name: "finished",
    apply: "build",
    configResolved(config) {
      folder = config.build.outDir;
    },
    writeBundle(_options, bundle) {
      shell = Object.values(bundle)
        .filter((one) =>
          one.type === "chunk"
            ? !STAFF.test(one.facadeModuleId ?? "") || one.isEntry
            : /\.css$|latin-wght-normal.*woff2$/.test(one.fileName) && !one.fileName.includes("-ext-"),
        )
        .map((one) => `/${one.fileName}`);
    },
    async closeBundle() {
      mkdirSync(folder, { recursive: true });
      drawIcons(folder);
      await buildWorker(folder, ["/icon.svg", ...shell]);
      pack(folder);
    },
  };
}

async function buildWorker(folder: string, shell: readonly string[]): Promise<void> {
  const stamp = createHash("sha256").update(shell.join("\n")).digest("hex").slice(0, 12);
  await build({
    configFile: false,
    logLevel: "warn",
    publicDir: false,
    define: { __BUILD__: JSON.stringify(stamp), __SHELL__: JSON.stringify(shell) },
    build: {
      target: "es2022",
      outDir: folder,
      emptyOutDir: false,
      rolldownOptions: {
        input: "worker/sw.ts",
        output: { format: "iife", entryFileNames: "sw.js" },
      },
    },
  });
}

function pack(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true }) as string[]) {
    if (!/\.(html|js|css|svg|webmanifest|json)$/.test(name)) continue;
    const path = join(folder, name);
    const body = readFileSync(path);
    const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
    writeFileSync(`${path}.br`, brotliCompressSync(body, quality));
    writeFileSync(`${path}.gz`, gzipSync(body, { level: 9 }));
  }
}

/** TanStack's own links: every route carries them, none is used (see useFollow). */
function withoutLinks(): Plugin {
  const LINKS = /react-router\/dist\/esm\/link\.js$/;
  return {
    name: "without-links",
    apply: "build",
    load: (id) =>
      LINKS.test(id)
        ? 'export const Link = "a"; export let createLink, linkOptions, useLinkProps;'
        : undefined,
  };
}

export default defineConfig({
  // The macros are compiled before React's plugin sees the files.
  plugins: [babel({ plugins: ["@lingui/babel-plugin-lingui-macro"] }), react(), lingui(), withoutLinks(), finished()],
  // React has had this hook since 18: the shim is weight.
  resolve: { alias: { "use-sync-external-store/shim/with-selector": "use-sync-external-store/with-selector" } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    manifest: true,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // One file packs better than ten, and a patient needs all of them.
        codeSplitting: {
          groups: [
            {
              name: "app",
              test: /node_modules\/(react|react-dom|scheduler|@tanstack(?!.*(?:infinite|useBlocker))|@lingui|use-sync-external-store)\/|src\/live\/|src\/app\/(api|links|offline|router|session|shell|site|time)\.|src\/ui\/(icons|spoken|\w+\.css)|src\/patient\/(holding|result|home|search)\./,
            },
          ],
        },
      },
    },
  },
  server: { proxy: { "/v1": { target: "http://127.0.0.1:8000", ws: true } } },
});
