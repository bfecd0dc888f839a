// A conversation.
import { copyButton, h, icon, iconButton } from "./dom.js";
import { BUSY, ReplyView, followReplies } from "./reply.js";
import { makeModelChoice, makeSettings } from "./settings.js";

const NEAR_BOTTOM_PX = 40;

export function drawChat(panel) {
  const log = makeLog();
  const settings = makeSettings(panel);
  const head = makeHead(panel, settings);
  const mayAsk = async () => (await settings.check()) || (head.openSettings(), false);
  const composer = makeComposer(panel, mayAsk);
  const empty = h("div", { class: "curc-empty" });
  const views = new Map();
  let wasBusy = false;

  log.list.append(empty);
  panel.root.classList.add("curc-chat");
  panel.root.append(head.element, settings.element, log.element, composer.element);
  panel.root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && wasBusy) panel.act("stop");
  });

  function draw(state) {
    head.show(state);
    settings.show({ system: state.system, ...state.sampling });
    composer.show(state);
    showEmpty(state);
    const wanted = new Set((state.messages ?? []).map((message) => message.id));
    for (const [id, view] of views) {
      if (wanted.has(id)) continue;
      view.element.remove();
      views.delete(id);
    }
    for (const message of state.messages ?? []) place(message);
    queueMicrotask(redraw);
  }

  function place(message) {
    if (views.has(message.id)) return;
    const view = message.role === "user" ? new UserView(message) : new ReplyView();
    if (message.role !== "user")
      view.actions.append(iconButton("retry", "Ask again for another answer", async () => (await mayAsk()) && panel.act("retry"), { class: "curc-icon-button curc-retry" }));
    views.set(message.id, view);
    log.list.append(view.element);
    log.stick(true);
  }

  function showEmpty({ messages, examples }) {
    empty.hidden = Boolean(messages?.length);
    if (empty.hidden || empty.childElementCount) return;
    empty.append(h("p", {}, "What can I help with?"),
      h("div", { class: "curc-examples" }, (examples ?? []).map((text) =>
        h("button", { type: "button", class: "curc-button", onclick: () => composer.send(text) }, text))));
  }

  function redraw() {
    let busy = false;
    let last = null;
    for (const [id, reply] of replies.byId) {
      views.get(id)?.show?.(reply);
      busy ||= BUSY.has(reply.phase);
      last = id;
    }
    for (const [id, view] of views) view.element.classList.toggle("curc-last", id === last);
    composer.showBusy(busy);
    if (busy && !wasBusy) panel.announce("The model answers.");
    if (!busy && wasBusy) panel.announce(describeEnd(replies.byId.get(last)));
    wasBusy = busy;
    log.stick();
  }

  let replies = { byId: new Map() };
  replies = followReplies(panel, (state) => (state.messages ?? []).filter((m) => m.role !== "user"), draw, redraw);
  redraw();
  return log.close;
}

function describeEnd(reply) {
  if (!reply) return "";
  if (reply.trouble) return `${reply.trouble.message} ${reply.trouble.remedy ?? ""}`;
  return reply.phase === "stopped" ? "Stopped." : "The answer is complete.";
}

class UserView {
  constructor({ text }) {
    this.element = h("div", { class: "curc-user", role: "group", "aria-label": "You" },
      h("div", { class: "curc-user-text", dir: "auto" }, text), copyButton(() => text, "Copy this message"));
  }
}

/** The messages, scrolled to the newest unless somebody scrolled up to read. */
function makeLog() {
  const list = h("div", { class: "curc-messages" });
  const scroller = h("div", { class: "curc-log", role: "log", "aria-live": "off", "aria-label": "Conversation", tabindex: "0" }, list);
  const down = iconButton("down", "To the newest message", () => stick(true), { class: "curc-icon-button curc-down", hidden: true });
  let follows = true;
  scroller.addEventListener("scroll", () => {
    follows = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_BOTTOM_PX;
    down.hidden = follows;
  });
  function stick(always = false) {
    follows ||= always;
    if (follows) scroller.scrollTop = scroller.scrollHeight;
  }
  // Blocks are drawn a little after they arrive.
  const watch = new ResizeObserver(() => stick());
  watch.observe(list);
  return { element: h("div", { class: "curc-log-frame" }, scroller, down), list, stick, close: () => watch.disconnect() };
}

function makeHead(panel, settings) {
  const dot = h("span", { class: "curc-dot" });
  const title = h("span", { class: "curc-title" });
  const model = makeModelChoice(panel);
  const note = h("span", { class: "curc-quiet curc-grow curc-note", role: "status" });
  const open = (isOpen) => {
    settings.element.hidden = !isOpen;
    toggle.setAttribute("aria-expanded", String(isOpen));
  };
  const toggle = iconButton("settings", "Settings", () => open(settings.element.hidden), { "aria-expanded": "false" });
  const save = iconButton("save", "Keep this chat in a file", () => panel.act("save"));
  const fresh = iconButton("plus", "New chat", () => panel.act("clear"));
  const element = h("div", { class: "curc-head" }, dot, title, model.element, note, save, fresh, toggle);

  function show({ title: text, models = [], model: chosen = "", well, kept = "", note: said = "", messages = [] }) {
    dot.className = `curc-dot ${well ? "curc-good" : "curc-warn"}`;
    title.textContent = models.length < 2 ? text || chosen || "Chat" : text || "";
    model.show(models, chosen);
    note.textContent = said || (kept ? `kept in ${kept}` : "");
    note.title = note.textContent;
    save.disabled = Boolean(kept) || !messages.length;
    fresh.disabled = !messages.length;
  }
  return { element, show, openSettings: () => open(true) };
}

function makeComposer(panel, mayAsk) {
  let busy = false;
  const input = h("textarea", { class: "curc-message", rows: "1", placeholder: "Write a message …", "aria-label": "Your message" });
  const button = h("button", { type: "button", class: "curc-button curc-primary curc-send", onclick: press });
  const element = h("div", { class: "curc-composer" }, input, button);

  async function send(text) {
    if (busy || !text.trim() || !(await mayAsk())) return;
    if (await panel.act("send", { text })) {
      if (input.value === text) input.value = "";
      grow();
    }
  }

  function press() {
    if (busy) panel.act("stop");
    else send(input.value);
    input.focus({ preventScroll: true });
  }

  function grow() {
    input.style.height = "auto";
    input.style.height = `${Math.min(input.scrollHeight + 2, 220)}px`;
  }

  function showBusy(is) {
    const shown = button.firstChild && busy === is;
    busy = is;
    if (shown) return;
    button.setAttribute("aria-label", is ? "Stop" : "Send");
    button.title = is ? "Stop (Esc)" : "Send (Enter)";
    button.classList.toggle("curc-primary", !is);
    button.replaceChildren(icon(is ? "stop" : "send"));
  }

  input.addEventListener("input", grow);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!busy) send(input.value);
  });
  showBusy(false);
  return { element, send, showBusy, show: () => {} };
}
