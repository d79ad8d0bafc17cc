// What the pages are checked for: TypeScript with its types, Vue's recommendations, accessibility. Layout is Prettier's.
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
  typescript.configs.recommendedTypeChecked,
  typescript.configs.stylistic,
  vue.configs["flat/recommended"],
  accessibility.configs["flat/recommended"],
  prettier,
  {
    languageOptions: {
      globals: { ...globals.browser, ...globals.node },
      parserOptions: { project: "tsconfig.json", tsconfigRootDir: import.meta.dirname, extraFileExtensions: [".vue"] },
    },
    rules: {
      // Safari has it from 16.4 on, and the build lowers no regular expression.
      "no-restricted-syntax": ["error", { selector: "Literal[regex.pattern=/\\(\\?<[=!]/]", message: "Safari 15 knows no lookbehind." }],
      // A name that begins with _ stands for what a function is given and has no use for; the rest of an object leaves something out.
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", ignoreRestSiblings: true }],
      // What a form's values may become is said by an assertion, from which their type is inferred: it takes those away.
      "@typescript-eslint/no-unnecessary-type-assertion": "off",
      // A label around its control needs no id.
      "vuejs-accessibility/label-has-for": ["error", { required: { some: ["nesting", "id"] } }],
    },
  },
  { files: ["**/*.vue"], languageOptions: { parserOptions: { parser: typescript.parser } } },
  {
    files: ["**/*.test.ts", "src/testing/**"],
    rules: {
      // Vitest's matchers are any.
      "@typescript-eslint/no-unsafe-assignment": "off",
      // What stands for an act that fails is async, so that it rejects instead of throwing.
      "@typescript-eslint/require-await": "off",
    },
  },
  // Tools of the build are not in the pages' program, nor is what the oldest browsers run.
  { files: ["*.mjs", "*.config.ts", "public/**"], extends: [typescript.configs.disableTypeChecked] },
  { files: ["public/**"], rules: { "no-var": "off", "prefer-const": "off" } },
);
