// Links of a model's text: only to other sites, only when somebody clicks.
import { h } from "./dom.js";

const SCHEMES = new Set(["http:", "https:", "mailto:"]);
const MAX_CHARS = 2000;

/** The address a link may lead to; null for all that runs, stays on this site, or hides where it leads. */
export function parseAddress(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return null; // relative addresses would lead into the notebook's own server
  }
  if (!SCHEMES.has(url.protocol) || url.href.length > MAX_CHARS) return null;
  if (url.protocol !== "mailto:" && (url.username || url.password || url.origin === location.origin)) return null;
  return url;
}

/** A link around `children`; those alone when it may lead nowhere. */
export function drawLink(address, children, text) {
  const url = parseAddress(address);
  if (!url) return children;
  const link = h("a", { class: "curc-link", role: "link", tabindex: "0", target: "_blank", rel: "noopener noreferrer" }, children);
  // Browsers look up the hosts of links on a page, unasked: a name could carry what a model was told.
  const arm = () => link.setAttribute("href", url.href);
  for (const event of ["pointerenter", "pointerdown", "focus"]) link.addEventListener(event, arm, { once: true });
  return [link, isMisleading(url, text) ? h("span", { class: "curc-quiet" }, ` (${url.host})`) : ""];
}

/** True when the text looks like another site's address. */
function isMisleading(url, text) {
  const shown = /(?:https?:\/\/)?([a-z0-9-]+(?:\.[a-z0-9-]+)+)/i.exec(text ?? "");
  return Boolean(shown) && shown[1].toLowerCase() !== url.host.toLowerCase();
}
