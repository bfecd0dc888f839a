// What the planner says of a launch: it fits, with figures; or it doesn't, with what does.
import { h } from "./base.js";
import { renderNumber } from "./durations.js";
import { figures } from "./pieces.js";

const MARKS = { fits: "✓", refused: "✗" };

export function drawVerdict({ verdict, models }, take) {
  if (!models?.length) return h("div", { class: "curc-quiet" }, "Reading what there is to choose from …");
  if (!verdict) return h("div", { class: "curc-quiet" }, "Working out whether it fits …");
  return [
    h("div", { class: `curc-row curc-one-line curc-verdict-${verdict.kind}` },
      h("b", { "aria-hidden": "true" }, MARKS[verdict.kind] ?? "…"), h("b", {}, verdict.title)),
    verdict.text ? h("div", {}, verdict.text) : null,
    verdict.memory.length ? drawMemory(verdict.memory) : null,
    verdict.figures.length ? figures(verdict.figures) : null,
    ...verdict.notes.map((note) => h("div", { class: "curc-quiet" }, note)),
    verdict.others.length ? h("div", { class: "curc-row" }, h("span", { class: "curc-quiet" }, "What works:"), verdict.others.map((other) => drawOther(other, take))) : null,
  ];
}

const drawOther = ({ label, values }, take) => h("button", { type: "button", class: "curc-button curc-small", onclick: () => take(values) }, label);

function drawMemory(parts) {
  const total = parts.reduce((sum, part) => sum + part.gib, 0);
  const told = parts.map((part) => `${part.name} ${renderNumber(part.gib, 1)} GiB`);
  const bar = h("div", { class: "curc-memory", role: "img", "aria-label": `Memory of one GPU: ${told.join(", ")}` });
  for (const part of parts) {
    const piece = h("span", { class: `curc-memory-${part.part}`, title: `${part.name} ${renderNumber(part.gib, 1)} GiB` });
    piece.style.width = `${(100 * part.gib) / total}%`;
    bar.append(piece);
  }
  const legend = h("div", { class: "curc-row curc-legend curc-quiet", "aria-hidden": "true" },
    h("span", {}, `Memory of one GPU: ${renderNumber(total, 1)} GiB`),
    parts.map((part, at) => h("span", {}, h("span", { class: `curc-swatch curc-memory-${part.part}` }), told[at])));
  return h("div", { class: "curc-column" }, bar, legend);
}
