// LaTeX → MathML, which browsers draw with the fonts they have.
import katex from "katex";
import { h } from "./dom.js";

// A formula that is longer, or a page of them, is shown as it was written.
const MAX_CHARS = 4000;

const OPTIONS = {
  output: "mathml",
  throwOnError: true,
  strict: "ignore",
  trust: false, // no \href, \includegraphics, \html…
  maxExpand: 200,
  maxSize: 12,
};

/** The formula as an element; its source when KaTeX can't read it. */
export function drawFormula(source, isDisplay) {
  const place = h("span", { class: isDisplay ? "curc-formula curc-display" : "curc-formula" });
  if (isDisplay) place.tabIndex = 0; // it scrolls sideways when it is wide
  try {
    if (source.length > MAX_CHARS) throw new RangeError("too long");
    katex.render(source, place, { ...OPTIONS, displayMode: isDisplay, macros: {} });
    // The copy of the source that KaTeX puts inside is for others to read.
    for (const copy of place.querySelectorAll("annotation")) copy.remove();
  } catch {
    place.replaceChildren(h("code", {}, isDisplay ? `$$${source}$$` : `$${source}$`));
  }
  return place;
}

// In single dollars a formula ends with something, and no digit follows (Pandoc's rule): "$5 or $10" is money.
// Nor may a capital or an underscore follow: "$HOME/$USER" is no formula, "the $n$th" has one.
const INLINE = [
  [/^\\\(((?:[^\\\n]|\\(?!\))|\n(?!\s*\n)){1,4000}?)\\\)/, false],
  [/^\\\[((?:[^\\\n]|\\(?!\])|\n(?!\s*\n)){1,4000}?)\\\]/, true],
  [/^\$\$((?:[^$\\\n]|\\[^\n]){1,4000})\$\$/, true],
  [/^\$(?![\s$])((?:[^$\\\n]|\\[^\n]){1,4000})(?<!\s)\$(?![\dA-Z_$])/, false],
];
const BLOCK = [
  /^ {0,3}\$\$((?:[^$\\]|\\[^]|\$(?!\$)){1,4000}?)\$\$[ \t]*(?:\n+|$)/,
  /^ {0,3}\\\[((?:[^\\]|\\(?!\])){1,4000}?)\\\][ \t]*(?:\n+|$)/,
  /^ {0,3}(\\begin\{((?:equation|align|gather|multline)\*?)\}(?:[^\\]|\\(?!end\{\2\})){0,4000}\\end\{\2\})[ \t]*(?:\n+|$)/,
];

/** What marked must know to find formulas before it takes their backslashes and underscores for Markdown. */
export const FORMULAS = {
  extensions: [
    {
      name: "formula",
      level: "inline",
      start: (source) => find(source, /\\[([]|(?<![\\$\w])\$/),
      tokenizer(source) {
        for (const [pattern, isDisplay] of INLINE) {
          const match = pattern.exec(source);
          if (match?.[1].trim()) return { type: "formula", raw: match[0], text: match[1], isDisplay };
        }
      },
    },
    {
      name: "formulaBlock",
      level: "block",
      start: (source) => find(source, /(?<=\n) {0,3}(?:\$\$|\\\[|\\begin\{)/),
      tokenizer(source) {
        for (const pattern of BLOCK) {
          const match = pattern.exec(source);
          if (match?.[1].trim()) return { type: "formula", raw: match[0], text: match[1], isDisplay: true };
        }
      },
    },
  ],
};

function find(source, pattern) {
  const index = source.search(pattern);
  return index < 0 ? undefined : index;
}
