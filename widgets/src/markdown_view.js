// One answer in the output of a cell: what %%llm shows.
import { h } from "./dom.js";
import { BUSY, ReplyView, followReplies } from "./reply.js";

export function drawMarkdown(panel) {
  const view = new ReplyView();
  const stop = h("button", { type: "button", class: "curc-button curc-stop", onclick: () => panel.act("stop") }, "Stop");
  let wasBusy = false;
  panel.root.classList.add("curc-markdown-panel");
  panel.root.append(view.element);
  view.foot.append(stop);
  panel.root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && wasBusy) panel.act("stop");
  });

  function redraw() {
    const [reply] = replies.byId.values();
    if (!reply) return;
    const busy = BUSY.has(reply.phase);
    view.show(reply);
    stop.hidden = !busy || !panel.state.can_stop;
    if (wasBusy && !busy) panel.announce("The answer is complete.");
    wasBusy = busy;
  }

  let replies = { byId: new Map() };
  replies = followReplies(panel, (state) => (state.reply ? [state.reply] : []), () => queueMicrotask(redraw), redraw);
  redraw();
}
