// marked's tokens → elements. Every tag and attribute is one of ours; a model's words only become text nodes.
import { drawCode } from "./code.js";
import { h } from "./dom.js";
import { drawFormula } from "./formula.js";
import { drawLink, parseAddress } from "./link.js";

// Deeper lists and quotes are shown as they were written: browsers lay out thousands of levels badly, or not at all.
const MAX_DEPTH = 24;
const ALIGN = { left: "curc-left", center: "curc-centre", right: "curc-right" };
const HARMLESS_TAG = /^<(\/?)(br|sub|sup|kbd)\s*\/?>$/i;

/** The elements of one block. */
export function drawBlock(token, isWhole = true, depth = 0) {
  const draw = depth > MAX_DEPTH ? null : BLOCKS[token.type];
  return draw ? draw(token, isWhole, depth) : h("p", { dir: "auto" }, token.raw ?? "");
}

const BLOCKS = {
  space: () => "",
  def: () => "",
  hr: () => h("hr"),
  code: (token, isWhole) => drawCode(token, isWhole),
  formula: (token) => drawFormula(token.text, true),
  html: (token) => h("p", { dir: "auto", class: "curc-raw" }, token.raw.trimEnd()),
  heading: (token, _, depth) => h(`h${Math.min(6, token.depth + 1)}`, { dir: "auto" }, drawInline(token.tokens, depth)),
  paragraph: (token, _, depth) => h("p", { dir: "auto" }, drawInline(token.tokens, depth)),
  text: (token, _, depth) => h("span", {}, token.tokens ? drawInline(token.tokens, depth) : token.text),
  checkbox: (token) => drawCheckbox(token),
  blockquote: (token, isWhole, depth) => h("blockquote", {}, drawAll(token.tokens, isWhole, depth + 1)),
  list: drawList,
  table: drawTable,
};

function drawAll(tokens, isWhole, depth) {
  return tokens.map((token, index) => drawBlock(token, isWhole || index < tokens.length - 1, depth));
}

function drawList(token, isWhole, depth) {
  const items = token.items.map((item, index) => {
    const last = index === token.items.length - 1;
    const hasBox = item.task && !item.tokens.some((inner) => inner.type === "checkbox");
    return h("li", { dir: "auto", class: item.task && "curc-task" }, hasBox ? drawCheckbox(item) : "", drawAll(item.tokens, isWhole || !last, depth + 1));
  });
  const start = token.ordered && Number.isSafeInteger(token.start) && token.start !== 1 ? String(token.start) : null;
  return h(token.ordered ? "ol" : "ul", { start }, items);
}

function drawCheckbox(token) {
  return h("span", { class: "curc-checkbox" }, token.checked ? "☑ " : "☐ ");
}

function drawTable(token, _, depth) {
  const cell = (tag) => (part, index) =>
    h(tag, { class: ALIGN[token.align[index]], dir: "auto" }, drawInline(part.tokens, depth));
  return h("div", { class: "curc-table", tabindex: "0" },
    h("table", {},
      h("thead", {}, h("tr", {}, token.header.map(cell("th")))),
      h("tbody", {}, token.rows.map((row) => h("tr", {}, row.map(cell("td")))))));
}

/** The nodes of a line. */
export function drawInline(tokens, depth = 0) {
  if (depth > MAX_DEPTH) return tokens.map((token) => token.raw ?? "");
  // <sub> and the like come as two tokens with their content between them.
  const stack = [{ tag: null, nodes: [] }];
  for (const token of tokens) {
    const tag = token.type === "html" ? HARMLESS_TAG.exec(token.raw.trim()) : null;
    if (!tag) stack.at(-1).nodes.push(INLINES[token.type]?.(token, depth) ?? token.raw ?? "");
    else if (tag[2].toLowerCase() === "br") stack.at(-1).nodes.push(h("br"));
    else if (!tag[1] && stack.length < MAX_DEPTH) stack.push({ tag: tag[2].toLowerCase(), nodes: [] });
    else if (stack.at(-1).tag === tag[2].toLowerCase()) closeTag(stack);
  }
  while (stack.length > 1) closeTag(stack);
  return stack[0].nodes;
}

function closeTag(stack) {
  const { tag, nodes } = stack.pop();
  stack.at(-1).nodes.push(h(tag, {}, nodes.flat()));
}

const wrap = (tag) => (token, depth) => h(tag, {}, drawInline(token.tokens, depth + 1));

const INLINES = {
  text: (token, depth) => (token.tokens ? drawInline(token.tokens, depth + 1) : decode(token)),
  escape: (token) => decode(token),
  html: (token) => token.raw,
  br: () => h("br"),
  checkbox: (token) => drawCheckbox(token),
  codespan: (token) => h("code", { dir: "ltr" }, token.text),
  formula: (token) => drawFormula(token.text, token.isDisplay),
  em: wrap("em"),
  strong: wrap("strong"),
  del: wrap("del"),
  link: (token, depth) => drawLink(token.href, drawInline(token.tokens, depth + 1), token.text),
  image: drawImage,
};

/** No image of a model is loaded: whoever serves it would see who reads what, and when. */
function drawImage(token) {
  const label = `[image: ${token.text || "no title"}]`;
  return parseAddress(token.href) ? drawLink(token.href, [label], label) : label;
}

// marked leaves entities to the HTML parser, which never sees this text.
const ENTITY = /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos|nbsp|ndash|mdash|hellip|times|deg|micro|plusmn|copy|rarr|larr|le|ge|ne));/gi;
const NAMED = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", ndash: "–", mdash: "—", hellip: "…",
  times: "×", deg: "°", micro: "µ", plusmn: "±", copy: "©", rarr: "→", larr: "←", le: "≤", ge: "≥", ne: "≠" };

function decode(token) {
  return token.text.replace(ENTITY, (whole, decimal, hex, name) => {
    if (name) return NAMED[name.toLowerCase()] ?? whole;
    const number = decimal ? Number(decimal) : parseInt(hex, 16);
    return number > 31 && number < 0x110000 && !(number >= 0xd800 && number < 0xe000) ? String.fromCodePoint(number) : whole;
  });
}
