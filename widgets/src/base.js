// What all widgets share: the state that the kernel sends, commands back to it, and what to say when it is gone.
import { h, iconButton } from "./dom.js";

export { copyButton, copyText, h, icon, iconButton } from "./dom.js";

// A kernel of ipykernel 7 answers while cells run; an older one once the running cell is done.
const ANSWER_WITHIN_MS = 4000;
const GONE = [
  "The notebook's kernel doesn't answer.",
  "If a cell is running, wait for it. If the kernel was restarted, run this cell again.",
];

let lastId = 0;

/**
 * Opens a widget's page. A view draws into `panel.root` and uses:
 *
 * - `panel.state`: the trait `state`; `panel.onState(draw)` calls `draw(state)` now and after each change;
 * - `panel.onTrait(name, draw)`: the same for another trait;
 * - `panel.act(name, data)`: asks the kernel (`Panel.on_action`). Resolves to what the handler returned, or to
 *   null when it failed or nobody answered; what went wrong is then shown in the widget, or given to a third
 *   argument, `onTrouble`;
 * - `panel.onMessage(read)`: other messages of the kernel;
 * - `panel.notice(text, remedy)`: shows what went wrong; `panel.announce(text)`: says it to screen readers.
 */
export function openPanel(model, el) {
  const root = h("div", { class: "curc-panel", "data-lm-suppress-shortcuts": "true" });
  const live = h("div", { class: "curc-offscreen", role: "status", "aria-live": "polite" });
  const notices = h("div", { class: "curc-notices" });
  const undo = [];
  const waiting = new Map();
  const givenUp = new Set();
  // Notebooks have shortcuts for plain keys: what is typed here is ours.
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(h("div", { class: "curc-frame" }, root, notices, live));

  function listen(event, call) {
    model.on(event, call);
    undo.push(() => model.off(event, call));
  }

  function notice(text, remedy = "") {
    const line = h("div", { class: "curc-notice curc-error", role: "alert" },
      h("span", {}, h("b", {}, text), remedy ? ` ${remedy}` : ""),
      iconButton("plus", "Close", () => line.remove(), { class: "curc-icon-button curc-close" }));
    notices.replaceChildren(line);
  }

  listen("msg:custom", (content) => {
    if (givenUp.delete(content?.ack)) notices.replaceChildren(); // it was only late
    const asked = content?.ack && waiting.get(content.ack);
    if (!asked) return;
    waiting.delete(content.ack);
    if (content.trouble && asked.onTrouble) asked.onTrouble(content.trouble);
    else if (content.trouble) notice(content.trouble.message, content.trouble.remedy);
    else notices.replaceChildren();
    asked.resolve(content.trouble ? null : (content.result ?? {}));
  });

  const panel = {
    root,
    model,
    get state() {
      return model.get("state") ?? {};
    },
    onTrait(name, draw) {
      const update = () => draw(model.get(name) ?? {});
      listen(`change:${name}`, update);
      update();
    },
    onState: (draw) => panel.onTrait("state", draw),
    onMessage: (read) => listen("msg:custom", (content) => content?.ack || read(content)),
    onClose: (call) => undo.push(call),
    notice,
    announce: (text) => (live.textContent = text),
    close: () => undo.splice(0).forEach((call) => call()),
    act(name, data = {}, onTrouble = null) {
      const id = `${Date.now().toString(36)}-${++lastId}`;
      return new Promise((resolve) => {
        waiting.set(id, { resolve, onTrouble });
        setTimeout(() => {
          if (!waiting.delete(id)) return;
          givenUp.add(id);
          notice(...GONE);
          resolve(null);
        }, ANSWER_WITHIN_MS);
        try {
          model.send({ action: name, id, data });
        } catch {
          waiting.delete(id);
          notice(...GONE);
          resolve(null);
        }
      });
    },
  };
  return panel;
}
