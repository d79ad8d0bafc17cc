// How the pages are built: two documents (the console, the phone pages), and each file compressed beside itself.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";
import { VantResolver } from "@vant/auto-import-resolver";
import vue from "@vitejs/plugin-vue";
import MarkdownIt from "markdown-it";
import { ElementPlusResolver } from "unplugin-vue-components/resolvers";
import Components from "unplugin-vue-components/vite";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** What these browsers lack is refused by tsconfig's `lib`, or lowered by the build. */
const OLDEST_BROWSERS = ["chrome86", "edge86", "firefox102", "safari15"];
/** Tests look at no styles, and Node loads none. */
const isTest = !!process.env.VITEST;

export default defineConfig({
  plugins: [
    runbooksAsPages(),
    vue({ include: [/\.vue$/, /\.md$/] }),
    Components({
      dirs: [],
      dts: false,
      resolvers: [ElementPlusResolver({ importStyle: isTest ? false : "css" }), VantResolver({ importStyle: !isTest })],
    }),
    withoutForeignFonts(),
    compressedBeside(),
  ],
  resolve: { alias: { "@": fileURLToPath(new URL("src", import.meta.url)) } },
  build: {
    target: OLDEST_BROWSERS,
    assetsInlineLimit: 0,
    manifest: true,
    modulePreload: { polyfill: false },
    rollupOptions: { input: { console: "index.html", phone: "m/index.html" } },
  },
  server: { host: "127.0.0.1", fs: { allow: ["../.."] }, proxy: { "/api": "http://127.0.0.1:8000" } },
  test: {
    include: ["src/**/*.test.ts"],
    environment: "node",
    // Ends a test that hangs; a busy machine fails none.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    alias: [{ find: /^element-plus\/es\/.*\/style\/css$/, replacement: fileURLToPath(new URL("src/testing/noStyle.ts", import.meta.url)) }],
  },
});

/** Vant's icons come within its style sheet; the second source that it names is another company's site. */
function withoutForeignFonts(): Plugin {
  return {
    name: "without-foreign-fonts",
    enforce: "pre",
    transform: (code, id) => (id.endsWith("vant/es/icon/index.css") ? code.replace(/,\s*url\(\/\/[^)]*\)\s*format\("woff"\)/, "") : null),
  };
}

/** The runbooks of docs/operations as components. Links lead to other runbooks; other documents are only named. */
function runbooksAsPages(): Plugin {
  const markdown = new MarkdownIt();
  markdown.core.ruler.push("links", ({ tokens }) => {
    for (const { children } of tokens) {
      let tag = "a";
      for (const token of children ?? []) {
        if (token.type === "link_open") {
          const href = String(token.attrGet("href"));
          const runbook = /^(\w+)\.md$/.exec(href);
          tag = runbook ? "RouterLink" : "span";
          token.attrs = runbook ? [["to", `/runbooks/${runbook[1]}`]] : [["title", join("docs/operations/runbooks", href)]];
        }
        if (token.type.startsWith("link_")) token.tag = tag;
      }
    }
  });
  return {
    name: "runbooks-as-pages",
    enforce: "pre",
    transform: (text, id) =>
      id.endsWith(".md")
        ? `<template><article lang="en">${markdown.render(text).replace(/\{\{/g, "&#123;&#123;")}</article></template>`
        : null,
  };
}

/** `name.gz` beside each file that compresses, for the gateway to send as it is. */
function compressedBeside(): Plugin {
  let folder = "";
  return {
    name: "compressed-beside",
    apply: "build",
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    writeBundle() {
      for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        if (/\.(css|html|js|svg)$/.test(name)) {
          const path = join(folder, name);
          writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: constants.Z_BEST_COMPRESSION }));
        }
      }
    },
  };
}
