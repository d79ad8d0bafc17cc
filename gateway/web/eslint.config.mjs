// What the pages are checked for: TypeScript, Vue's recommendations, accessibility. Types are vue-tsc's, layout is Prettier's.
import eslint from "@eslint/js";
import prettier from "eslint-config-prettier/flat";
import vue from "eslint-plugin-vue";
import accessibility from "eslint-plugin-vuejs-accessibility";
import { defineConfig, globalIgnores } from "eslint/config";
import globals from "globals";
import typescript from "typescript-eslint";

export default defineConfig(
  globalIgnores(["dist*/", "src/api/schema.d.ts"]),
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  eslint.configs.recommended,
  typescript.configs.recommended,
  typescript.configs.stylistic,
  vue.configs["flat/recommended"],
  accessibility.configs["flat/recommended"],
  prettier,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: {
      // A name that begins with _ stands for what a function is given and has no use for; the rest of an object leaves something out.
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", ignoreRestSiblings: true }],
      // A label around its control needs no id.
      "vuejs-accessibility/label-has-for": ["error", { required: { some: ["nesting", "id"] } }],
    },
  },
  { files: ["**/*.vue"], languageOptions: { parserOptions: { parser: typescript.parser } } },
  {
    files: ["src/console/signin/**"],
    // These pages are there to fill in their first field.
    rules: { "vuejs-accessibility/no-autofocus": "off" },
  },
);
