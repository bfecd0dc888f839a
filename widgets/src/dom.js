// Makes elements. Text only ever becomes a text node; there is no way to hand in HTML.

const SVG = "http://www.w3.org/2000/svg";

// Paths of a 24 × 24 grid, drawn as lines.
const ICONS = {
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  check: "M5 12.5l4.5 4.5L19 7",
  retry: "M20 5v5h-5M20 10a8 8 0 1 0 0 5",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M13 4v6M7 14v6",
  plus: "M12 5v14M5 12h14",
  down: "M12 5v14M6 13l6 6 6-6",
  save: "M5 4h11l3 3v13H5zM8 4v5h7V4M8 20v-6h8v6",
  warning: "M12 4l9 16H3zM12 10v4M12 17v.5",
};

/**
 * Makes an element.
 *
 * h("button", { class: "curc-button", onclick: send, disabled: true }, icon("send"), "Send")
 *
 * A property that is null, undefined or false is left out; `on…` are listeners, the others attributes.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  // Children first: an element with dir="auto" reads all of them again after each that is added.
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  return element;
}

/** An icon that screen readers skip: whatever carries it needs a label of its own. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "curc-icon", "aria-hidden": "true" }))
    svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button that shows an icon alone; its label is read and shown as a tip. */
export function iconButton(name, label, onclick, props = {}) {
  return h("button", { type: "button", class: "curc-icon-button", title: label, "aria-label": label, onclick, ...props }, icon(name));
}

/** Copies a text; works also where the page has no clipboard (plain http). Returns whether it did. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { class: "curc-offscreen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}

/** A button that copies what `read` returns (or its promise) and says so for two seconds. */
export function copyButton(read, label = "Copy", props = {}) {
  const button = iconButton("copy", label, async (event) => {
    event.stopPropagation();
    const copied = await copyText(await read());
    button.replaceChildren(icon(copied ? "check" : "warning"));
    button.setAttribute("aria-label", copied ? "Copied" : "The browser doesn't allow copying");
    setTimeout(() => {
      button.replaceChildren(icon("copy"));
      button.setAttribute("aria-label", label);
    }, 2000);
  }, props);
  return button;
}
