// How a batch is getting on.
import { copyButton, h } from "./base.js";
import { renderNumber } from "./durations.js";
import { dot, figures, keeper, message } from "./pieces.js";

export function drawBatch(panel) {
  const head = h("div", { class: "curc-head" });
  const main = h("div", { class: "curc-section curc-column" });
  const progress = h("div", { class: "curc-bar curc-batch-bar", role: "progressbar", "aria-label": "Rows done", "aria-valuemin": 0, "aria-valuemax": 100 });
  const done = h("div", { class: "curc-done" });
  const failed = h("div", { class: "curc-failed" });
  const told = h("div", { class: "curc-column" });
  const foot = h("div", { class: "curc-section curc-row curc-buttons" });
  progress.append(done, failed);
  main.append(progress, told);
  panel.root.append(head, main, foot);
  const keep = { head: keeper(head), told: keeper(told), foot: keeper(foot) };
  let heard = "";

  panel.onState((state) => {
    if (!state.headline) return;
    const total = state.total || 1;
    const percent = Math.floor(100 * state.share);
    progress.setAttribute("aria-valuenow", percent);
    done.style.width = `${(100 * state.done) / total}%`;
    failed.style.width = `${(100 * state.failed) / total}%`;
    keep.head([state.headline, state.level, percent], () => [
      dot(state.level),
      h("span", { class: "curc-title curc-grow" }, `Batch: ${state.headline.toLowerCase()}`),
      h("span", { class: "curc-quiet curc-where curc-figures" }, `${percent} %`),
    ]);
    keep.told([state.figures, state.note, state.reasons, state.warning, state.level], () => drawTold(state));
    keep.foot([state.is_over, state.is_cancelling, state.path], () => drawFoot(panel, state));
    if (state.is_over && heard !== state.headline) panel.announce(`Batch: ${(heard = state.headline)}`);
  });
}

function drawTold(state) {
  const level = state.level === "ok" ? "" : "warn";
  return [
    figures(state.figures),
    state.note ? message(level, "", state.note) : null,
    state.warning ? message("warn", "", state.warning) : null,
    state.reasons.length ? drawReasons(state.reasons) : null,
  ];
}

function drawReasons(reasons) {
  return h("table", { class: "curc-rows" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Why rows failed"), h("th", { scope: "col" }, "Rows"))),
    h("tbody", {}, reasons.map(([reason, count]) => h("tr", {}, h("td", {}, reason), h("td", { class: "curc-figures" }, renderNumber(count))))));
}

function drawFoot(panel, state) {
  const cancel = h("button", { type: "button", class: "curc-button curc-danger", disabled: state.is_cancelling, onclick: () => panel.act("cancel") }, state.is_cancelling ? "Stopping …" : "Cancel");
  return [
    state.is_over ? null : cancel,
    h("span", { class: "curc-quiet curc-grow curc-path" }, "Results: ", h("span", { class: "curc-mono" }, state.path)),
    copyButton(() => state.path, "Copy the path"),
  ];
}
