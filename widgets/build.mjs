// Bundles src/ into one script, what loads it, and one style sheet. Whoever installs curc-llm needs neither this nor npm.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const STATIC = fileURLToPath(new URL("../src/curc_llm/notebook/static/", import.meta.url));
const PACKAGES = ["dompurify", "highlight.js", "katex", "marked"];

// tests/notebook/test_bundle.py computes the same: a bundle that doesn't fit its sources is found there.
function hashSources() {
  const names = readdirSync(`${HERE}src`).map((name) => `src/${name}`);
  const hash = createHash("sha256");
  for (const name of [...names, "build.mjs", "package.json", "package-lock.json"].sort()) {
    hash.update(`${name}\n`).update(readFileSync(HERE + name));
  }
  return hash.digest("hex");
}

function readLicences() {
  return PACKAGES.map((name) => {
    const folder = `${HERE}node_modules/${name}/`;
    const { version, license } = JSON.parse(readFileSync(`${folder}package.json`, "utf8"));
    const text = readFileSync(folder + "LICENSE", "utf8").replaceAll("*/", "* /").trim();
    return `${name} ${version} (${license})\n\n${text}\n`;
  }).join(`\n${"-".repeat(72)}\n\n`);
}

const made = `curc-llm widgets, made by \`make widgets\`; sources sha256:${hashSources()}`;
const licences = `\nThis file contains:\n\n${readLicences()}`;
const common = { bundle: true, minify: true, legalComments: "none", logLevel: "warning", charset: "utf8" };
await build({
  ...common,
  entryPoints: [`${HERE}src/index.js`],
  outfile: `${STATIC}widgets.js`,
  format: "esm",
  target: ["es2022"],
  banner: { js: `// ${made}` },
  footer: { js: `/*${licences}*/` },
});
await build({
  ...common,
  entryPoints: [`${HERE}src/loader.js`],
  outfile: `${STATIC}loader.js`,
  format: "esm",
  target: ["es2022"],
  banner: { js: `// ${made}` },
});
await build({
  ...common,
  entryPoints: [`${HERE}src/style.css`],
  outfile: `${STATIC}widgets.css`,
  banner: { css: `/* ${made} */` },
});
