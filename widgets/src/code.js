// Code blocks: colours, a name, a button that copies.
import highlighter from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import cpp from "highlight.js/lib/languages/cpp";
import diff from "highlight.js/lib/languages/diff";
import fortran from "highlight.js/lib/languages/fortran";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import julia from "highlight.js/lib/languages/julia";
import python from "highlight.js/lib/languages/python";
import r from "highlight.js/lib/languages/r";
import sql from "highlight.js/lib/languages/sql";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { copyButton, h } from "./dom.js";

const LANGUAGES = { bash, cpp, diff, fortran, javascript, json, julia, python, r, sql, xml, yaml };
for (const [name, rules] of Object.entries(LANGUAGES)) highlighter.registerLanguage(name, rules);

// Colouring 20 kB takes some 10 ms; what is longer is rarely read for its colours.
const MAX_COLOURED_CHARS = 20000;
const MAX_NAME_CHARS = 24;
// Characters that make code read otherwise than it runs (CVE-2021-42574): shown by their number.
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A code block. `isWhole` is false while the model still writes it. */
export function drawCode(token, isWhole = true) {
  const name = (token.lang ?? "").trim().split(/\s/)[0].slice(0, MAX_NAME_CHARS);
  const text = showHidden(token.text);
  const code = h("code", {}, colour(text, name, isWhole));
  return h("div", { class: "curc-code" },
    h("div", { class: "curc-code-head" }, h("span", {}, name || "text"), copyButton(() => token.text, "Copy this code")),
    h("pre", { tabindex: "0", dir: "ltr" }, code));
}

export function showHidden(text) {
  return text.replace(BIDI, (sign) => `⟨U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

function colour(text, name, isWhole) {
  const language = name && highlighter.getLanguage(name);
  if (!language || !isWhole || text.length > MAX_COLOURED_CHARS) return text;
  try {
    return walk(highlighter.highlight(text, { language: name, ignoreIllegals: true })._emitter.rootNode);
  } catch {
    return text;
  }
}

// highlight.js has a tree of scopes and text before it writes HTML: no HTML of model text is ever parsed here.
function walk(node) {
  const children = node.children.map((child) => (typeof child === "string" ? child : walk(child))).flat();
  if (!node.scope || node.scope.startsWith("language:")) return children;
  const classes = node.scope.split(".").map((part, index) => (index ? `${part}_` : `hljs-${part}`));
  return [h("span", { class: classes.join(" ") }, children)];
}
