// One question to several models or settings, answers side by side.
import { h, icon } from "./dom.js";
import { BUSY, ReplyView, followReplies } from "./reply.js";

export function drawCompare(panel) {
  const input = h("textarea", { class: "curc-input curc-grow", rows: "2", placeholder: "One question for all of them …", "aria-label": "Question" });
  const button = h("button", { type: "button", class: "curc-button curc-primary", onclick: press });
  const columns = h("div", { class: "curc-columns" });
  const views = new Map();
  let wasBusy = null;
  let labels = "";
  let question = "";

  panel.root.classList.add("curc-compare");
  panel.root.append(h("div", { class: "curc-section curc-row" }, input, button), columns);
  panel.root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && wasBusy) panel.act("stop");
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!wasBusy) press();
  });

  function press() {
    if (wasBusy) panel.act("stop");
    else if (input.value.trim()) panel.act("ask", { text: input.value });
  }

  function draw(state) {
    const wanted = JSON.stringify(state.columns ?? []);
    if (wanted !== labels) {
      labels = wanted;
      views.clear();
      columns.replaceChildren(...(state.columns ?? []).map(makeColumn));
    }
    if (state.question && state.question !== question && input !== document.activeElement) input.value = state.question;
    question = state.question ?? "";
    queueMicrotask(redraw);
  }

  function makeColumn({ label, detail }, index) {
    const view = new ReplyView({ label });
    views.set(index, view);
    return h("section", { class: "curc-column-answer" },
      h("header", {}, h("span", { class: "curc-title", title: label }, label), h("span", { class: "curc-quiet", title: detail }, detail)), view.element);
  }

  function redraw() {
    let busy = false;
    [...replies.byId.values()].forEach((reply, index) => {
      views.get(index)?.show(reply);
      busy ||= BUSY.has(reply.phase);
    });
    if (busy === wasBusy) return;
    button.replaceChildren(icon(busy ? "stop" : "send"), busy ? "Stop" : "Ask all");
    button.classList.toggle("curc-primary", !busy);
    if (wasBusy !== null) panel.announce(busy ? "The models answer." : "All answers are there.");
    wasBusy = busy;
  }

  let replies = { byId: new Map() };
  replies = followReplies(panel, (state) => state.replies ?? [], draw, redraw);
  redraw();
}
