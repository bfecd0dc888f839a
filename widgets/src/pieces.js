// Small pieces that several panels share.
import { h } from "./base.js";

const DOTS = { ok: "curc-good", warning: "curc-warn", trouble: "curc-bad", busy: "curc-busy", over: "" };

export const dot = (level) => h("span", { class: `curc-dot ${DOTS[level] ?? ""}`, "aria-hidden": "true" });

/** Names and values side by side; empty values are left out. */
export function figures(pairs) {
  const shown = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return h("dl", { class: "curc-facts" },
    shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { class: "curc-figures" }, value))));
}

/** Replaces an element's children only when the text that they are made of has changed: no flicker, focus is kept. */
export function keeper(element) {
  let last;
  return (key, make) => {
    const text = JSON.stringify(key);
    if (text === last) return;
    last = text;
    element.replaceChildren(...[make()].flat().filter(Boolean));
  };
}

/** A message in the panel: `level` is warn, error or empty. */
export function message(level, title, text = "") {
  return h("div", { class: `curc-notice ${level ? `curc-${level}` : ""}` },
    h("span", {}, title ? h("b", {}, title) : null, title && text ? " " : null, text));
}

/** A bar from 0 to 1; a share that isn't known moves. */
export function bar(share, label, kind = "") {
  const inner = h("div", { class: kind });
  inner.style.width = share === null ? "" : `${Math.round(1000 * Math.min(1, Math.max(0, share))) / 10}%`;
  const known = share === null ? {} : { "aria-valuenow": Math.round(100 * share) };
  return h("div", { class: `curc-bar ${share === null ? "curc-moving" : ""}`, role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100, ...known }, inner);
}

/** A button that asks once more before it does something that can't be undone. */
export function askingButton({ label, question, yes, no, act, kind = "curc-danger" }) {
  const box = h("span", { class: "curc-row" });
  const ask = h("button", { type: "button", class: `curc-button ${kind}`, onclick: () => open(true) }, label);
  function open(isOpen) {
    if (!isOpen) {
      box.replaceChildren(ask);
      ask.focus();
      return;
    }
    const keep = h("button", { type: "button", class: "curc-button", onclick: () => open(false) }, no);
    const go = h("button", { type: "button", class: `curc-button ${kind}`, onclick: () => { box.replaceChildren(ask); act(); } }, yes);
    box.replaceChildren(h("span", {}, question), go, keep);
    keep.focus();
  }
  box.append(ask);
  return box;
}

/** Tabs over texts: [{ name, title, text }]. */
export function tabs(items, draw, label) {
  const list = h("div", { class: "curc-tabs", role: "tablist", "aria-label": label });
  const page = h("div", { role: "tabpanel", tabindex: "0", class: "curc-tabpage" });
  const buttons = items.map((item, at) => h("button", { type: "button", role: "tab", class: "curc-tab", onclick: () => choose(at) }, item.title));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = buttons.indexOf(list.querySelector("[aria-selected=true]"));
    const next = (at + step + buttons.length) % buttons.length;
    choose(next);
    buttons[next].focus();
  });
  function choose(at) {
    buttons.forEach((button, index) => {
      button.setAttribute("aria-selected", String(index === at));
      button.tabIndex = index === at ? 0 : -1;
    });
    page.setAttribute("aria-label", items[at].title);
    page.replaceChildren(draw(items[at]));
  }
  list.append(...buttons);
  choose(0);
  return [list, page];
}
