// Fails where the first load of a document is larger than it may be: `npm run size`, after a build.
import { readFileSync, statSync } from "node:fs";

const KB = 1000;
const PHONE_PAGES = ["Start", "Profile", "Outlet", "Confirm", "Progress", "Enrolments", "Messages"].map(
  (name) => `src/phone/${name}Page.vue`,
);
const LIMITS = {
  "index.html": { js: 260 * KB, css: 60 * KB, with: ["src/console/workbench/WorkbenchPage.vue"] },
  "m/index.html": { js: 120 * KB, css: 45 * KB, with: PHONE_PAGES },
};
/** `with`: the pages that come first, and so belong to the first load; a member goes through all of the phone's. */

const manifest = JSON.parse(readFileSync("dist/.vite/manifest.json", "utf8"));
let isTooLarge = false;
for (const [document, limit] of Object.entries(LIMITS)) {
  const files = new Set();
  [document, ...limit.with].forEach((entry) => collect(entry, files, new Set()));
  for (const kind of ["js", "css"]) {
    const size = [...files].filter((file) => file.endsWith(`.${kind}`)).reduce((sum, file) => sum + gzipped(file), 0);
    isTooLarge ||= size > limit[kind];
    console.log(`${document} ${kind}: ${(size / KB).toFixed(1)} of ${limit[kind] / KB} kB gzipped`);
  }
}
process.exit(isTooLarge ? 1 : 0);

function collect(entry, files, seen) {
  const chunk = manifest[entry];
  if (!chunk) throw new Error(`no such entry in the build: ${entry}`);
  if (seen.has(entry)) return;
  seen.add(entry);
  [chunk.file, ...(chunk.css ?? [])].forEach((file) => files.add(file));
  (chunk.imports ?? []).forEach((other) => collect(other, files, seen));
}

function gzipped(file) {
  return statSync(`dist/${file}.gz`).size;
}
