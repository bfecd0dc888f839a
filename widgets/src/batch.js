import { h } from "./base.js";

// A stand-in until the real view is written.
export function drawBatch(panel) {
  const text = h("pre");
  panel.root.append(text);
  panel.onState((state) => (text.textContent = JSON.stringify(state, null, 1)));
}
