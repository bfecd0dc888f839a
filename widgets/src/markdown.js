// Markdown that grows: only its last blocks are drawn anew, so that long answers stay smooth.
import DOMPurify from "dompurify";
import { Lexer, Marked } from "marked";
import { h } from "./dom.js";
import { FORMULAS } from "./formula.js";
import { drawBlock } from "./tokens.js";

const marked = new Marked({ gfm: true, breaks: false }, FORMULAS);

// The last blocks may still change as more text comes (a list goes on after a blank line, "===" makes a heading).
const OPEN_BLOCKS = 2;
// Runs that make any Markdown parser slow, and no answer better: such a text is shown as it is.
const ABUSE = /([`*_~<>!($\\])\1{300}|(?:[>*+] ?){120}|(?:- ){120}|(?:[[\]][^[\]\n]{0,3}){300}/;
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\ufff9-\ufffb]/g;
const DEFINITION = /^ {0,3}\[[^\]\n]+\]: /m;
// marked takes quadratic time for a paragraph of much code: a long one is read in parts.
const MAX_INLINE_CHARS = 4000;
const MAX_BLOCK_CHARS = 60000;
// Drawing takes at most a quarter of the time, however large the open block.
const REST_FACTOR = 3;

// A second lock behind the first: should anything but these ever be made from a model's text, it is taken out.
const ALLOWED = {
  ALLOWED_TAGS: ["a", "b", "blockquote", "br", "button", "code", "del", "div", "em", "h2", "h3", "h4", "h5", "h6", "hr",
    "kbd", "li", "ol", "p", "path", "pre", "span", "strong", "sub", "sup", "svg", "table", "tbody", "td", "th", "thead",
    "tr", "ul", "math", "maction", "menclose", "merror", "mfrac", "mi", "mmultiscripts", "mn", "mo", "mover", "mpadded",
    "mphantom", "mprescripts", "mroot", "mrow", "ms", "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable",
    "mtd", "mtext", "mtr", "munder", "munderover", "semantics"],
  ALLOWED_ATTR: ["aria-hidden", "aria-label", "class", "d", "dir", "rel", "role", "start", "tabindex", "target", "title",
    "type", "viewBox", "accent", "accentunder", "columnalign", "columnlines", "columnspacing", "display", "displaystyle",
    "fence", "form", "height", "depth", "linethickness", "lspace", "mathsize", "mathvariant", "maxsize", "minsize",
    "movablelimits", "notation", "rowlines", "rowspacing", "rspace", "scriptlevel", "separator", "stretchy", "symmetric",
    "voffset", "width", "xmlns"],
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  IN_PLACE: true,
};

/** A place where a growing Markdown text is shown. */
export class Markdown {
  constructor() {
    this.element = h("div", { class: "curc-markdown" });
    this.reset();
  }

  reset() {
    this.text = "";
    this.isWhole = false;
    this.closed = 0; // characters of the text whose blocks won't change any more
    this.openNodes = [];
    this.plain = null;
    this.nextAt = 0;
    clearTimeout(this.timer);
    this.timer = null;
    this.element.replaceChildren();
  }

  /** Shows a text; call it with the whole text each time. `isWhole`: nothing more will come. */
  show(text, isWhole) {
    const clean = text.replace(/\r\n?/g, "\n").replace(CONTROLS, "");
    if (clean === this.text && isWhole === this.isWhole) return;
    // A definition at the end gives links to what was drawn long ago.
    if (!clean.startsWith(this.text) || (isWhole && DEFINITION.test(clean))) this.reset();
    this.text = clean;
    this.isWhole = isWhole;
    if (this.timer !== null) return;
    this.timer = setTimeout(() => this.draw(), Math.max(0, this.nextAt - performance.now()));
  }

  draw() {
    this.timer = null;
    const began = performance.now();
    try {
      if (this.plain === null && !ABUSE.test(this.text.slice(this.closed))) this.drawOpen();
      else this.drawPlain();
    } catch (error) {
      console.warn("[curc-llm] This text is shown as it is:", error);
      this.drawPlain();
    }
    this.nextAt = performance.now() + REST_FACTOR * (performance.now() - began);
  }

  drawOpen() {
    const source = this.text.slice(this.closed);
    const tokens = parse(source);
    const firstOpen = this.isWhole ? tokens.length : countClosed(tokens, source);
    for (const node of this.openNodes.splice(0)) node.remove();
    tokens.forEach((token, index) => {
      const isLast = index === tokens.length - 1;
      const nodes = drawClean(token, this.isWhole || !isLast || isClosedFence(token));
      this.element.append(...nodes);
      if (index >= firstOpen) this.openNodes.push(...nodes);
      else this.closed += token.raw.length;
    });
  }

  drawPlain() {
    if (this.plain === null) {
      this.plain = h("p", { class: "curc-raw", dir: "auto" });
      this.element.replaceChildren(this.plain);
    }
    this.plain.textContent = this.text.replace(CONTROLS, "");
  }
}

/** As marked.lexer, with paragraphs of any length. */
function parse(source) {
  const lexer = new Lexer(marked.defaults);
  lexer.blockTokens(source, lexer.tokens);
  for (const { src, tokens } of lexer.inlineQueue)
    for (const part of cut(src)) lexer.inlineTokens(part, tokens);
  return lexer.tokens;
}

function cut(text) {
  if (text.length <= MAX_INLINE_CHARS) return [text];
  const space = text.lastIndexOf(" ", MAX_INLINE_CHARS);
  const end = space > 0 ? space : MAX_INLINE_CHARS;
  return [text.slice(0, end), ...cut(text.slice(end))];
}

function drawClean(token, isWhole) {
  const isHuge = token.raw.length > MAX_BLOCK_CHARS && token.type !== "code";
  const place = h("div", {}, isHuge ? h("p", { class: "curc-raw" }, token.raw) : drawBlock(token, isWhole));
  DOMPurify.sanitize(place, ALLOWED);
  return [...place.childNodes];
}

/** How many tokens from the start will not change: all but the last few blocks. */
function countClosed(tokens, source) {
  let open = 0;
  let index = tokens.length;
  while (index > 0 && open < OPEN_BLOCKS) {
    index -= 1;
    if (tokens[index].type !== "space") open += 1;
  }
  // Only what marked gives back as it was can be counted.
  const raw = tokens.slice(0, index).map((token) => token.raw).join("");
  return source.startsWith(raw) ? index : 0;
}

function isClosedFence(token) {
  return token.type === "code" && /^ {0,3}(`{3,}|~{3,})[^]*\n {0,3}\1[`~]*\s*$/.test(token.raw);
}
