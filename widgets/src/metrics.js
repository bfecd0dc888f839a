// How busy a session is: figures and the last two minutes as curves.
import { h } from "./base.js";
import { renderNumber } from "./durations.js";
import { bar, dot, figures, keeper } from "./pieces.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 120;
const HEIGHT = 32;

export function drawMetrics(panel) {
  const head = h("div", { class: "curc-head" });
  const quiet = h("div", { class: "curc-section curc-quiet" });
  const tiles = h("div", { class: "curc-section curc-tiles" });
  const rest = h("div", { class: "curc-section curc-column" });
  panel.root.append(head, quiet, tiles, rest);
  const keep = { head: keeper(head), tiles: keeper(tiles), rest: keeper(rest) };
  panel.onState((state) => {
    const found = state.figures;
    keep.head([state.title, state.name, state.is_over, Boolean(found)], () => [
      dot(state.is_over ? "over" : found ? "ok" : "busy"),
      h("span", { class: "curc-title curc-grow" }, state.title || state.name || ""),
      h("span", { class: "curc-quiet curc-where" }, state.title ? state.name : ""),
    ]);
    quiet.hidden = !state.quiet;
    quiet.textContent = state.quiet ?? "";
    tiles.hidden = rest.hidden = !found;
    if (!found) return;
    keep.tiles([found, state.curves], () => drawTiles(found, state.curves));
    keep.rest(found, () => drawRest(found));
  });
}

function drawTiles(found, curves) {
  const running = found.running === null ? "-" : found.waiting ? `${found.running} (${found.waiting} waiting)` : String(found.running);
  return [
    tile("Tokens/s, last 10 s", found.tokens_per_s === null ? "-" : renderNumber(found.tokens_per_s, 1), curves.tokens_per_s),
    tile("Requests running", running, curves.running),
    found.kv_cache === null ? null : tile("KV cache in use", `${renderNumber(found.kv_cache, 1)} %`, curves.kv_cache.some(Boolean) ? curves.kv_cache : null, 100),
  ];
}

function tile(name, value, curve, most = 0) {
  return h("div", { class: "curc-tile" }, h("div", { class: "curc-quiet" }, name), h("div", { class: "curc-big curc-figures" }, value),
    curve ? drawCurve(name, curve, most) : null);
}

/** The curve from 0 up; the newest value stands at the right edge. */
function drawCurve(name, values, most) {
  const top = Math.max(most, ...values, 1e-9);
  const step = WIDTH / 119;
  const at = (value, index) => `${(WIDTH - (values.length - 1 - index) * step).toFixed(1)},${(HEIGHT - 1 - ((HEIGHT - 2) * value) / top).toFixed(1)}`;
  const svg = document.createElementNS(SVG, "svg");
  const set = (element, props) => Object.entries(props).forEach(([key, value]) => element.setAttribute(key, value));
  set(svg, { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curc-curve", preserveAspectRatio: "none", role: "img", "aria-label": `${name} over the last two minutes, at most ${renderNumber(top, 1)}` });
  const line = document.createElementNS(SVG, "polyline");
  set(line, { points: values.map(at).join(" "), fill: "none", "vector-effect": "non-scaling-stroke" });
  svg.append(line);
  return svg;
}

function drawRest(found) {
  const parts = [drawLatencies(found)];
  if (found.gpu_total_gib)
    parts.push(h("div", {}, h("div", { class: "curc-quiet" }, `GPU memory: ${renderNumber(found.gpu_used_gib, 1)} of ${renderNumber(found.gpu_total_gib, 1)} GiB`), bar(found.gpu_used_gib / found.gpu_total_gib, "GPU memory in use")));
  parts.push(figures([
    ["Requests answered", renderNumber(found.requests)],
    ["Tokens read", renderNumber(found.prompt_tokens)],
    ["Tokens written", renderNumber(found.completion_tokens)],
  ]));
  return parts;
}

function drawLatencies({ first_token, request }) {
  const row = (name, times) => h("tr", {}, h("th", { scope: "row" }, name), [times.p50, times.p95, times.p99].map((value) => h("td", { class: "curc-figures" }, value)));
  return h("table", { class: "curc-rows curc-latencies" },
    h("thead", {}, h("tr", {}, ["Latency", "half within", "95 % within", "99 % within"].map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, row("First token", first_token), row("Whole answer", request)));
}
