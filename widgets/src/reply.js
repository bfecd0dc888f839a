// One answer of a model: reasoning folded, text, figures, and what went wrong.
import { copyButton, h, icon } from "./dom.js";
import { Markdown } from "./markdown.js";

export const BUSY = new Set(["waiting", "loading", "reasoning", "writing"]);

const SILENT_MS = 6000;

/** The answers that a widget shows, kept together from whole states and from what comes between them. */
export class Replies {
  constructor() {
    this.seq = 0;
    this.byId = new Map();
  }

  /** Takes all answers as the kernel has them; `seq` is the last message that is part of them. */
  takeAll(replies, seq) {
    this.seq = seq;
    this.byId = new Map(replies.map((reply) => [reply.id, { ...reply }]));
  }

  /** Takes what came since; false when something is missing between. */
  takeMore({ seq, parts }) {
    if (!seq || seq <= this.seq) return true;
    if (seq !== this.seq + 1) return false;
    this.seq = seq;
    for (const { id, text, thought, ...rest } of parts) {
      const known = this.byId.get(id);
      if (!known) return false;
      Object.assign(known, rest, { text: known.text + text, thought: known.thought + thought });
    }
    return true;
  }
}

/**
 * Keeps a view's answers up to date: `draw(state)` after each state, `redraw()` as answers grow.
 *
 * A view that is opened while an answer comes has missed its beginning, and asks for it.
 */
export function followReplies(panel, list, draw, redraw) {
  const replies = new Replies();
  let asked = false;
  let heardAt = Date.now();
  // A kernel that dies says nothing any more: one that is silent in the middle of an answer is asked.
  const watch = setInterval(() => {
    const isBusy = [...replies.byId.values()].some((reply) => BUSY.has(reply.phase));
    if (isBusy && Date.now() - heardAt > SILENT_MS) panel.act("ping");
  }, SILENT_MS);
  panel.onClose(() => clearInterval(watch));
  panel.onState((state) => {
    replies.takeAll(list(state), state.seq ?? 0);
    asked = false;
    heardAt = Date.now();
    draw(state);
  });
  panel.onTrait("live", (live) => {
    heardAt = Date.now();
    const isNew = Boolean(live.seq) && live.seq > replies.seq;
    if (replies.takeMore(live)) {
      if (isNew) redraw();
    } else if (!asked) {
      asked = true;
      panel.act("resend");
    }
  });
  return replies;
}

/** A line breaks between its figures, never within one: "0.04 s" stays together. */
const keepFiguresWhole = (line) => line.split(" · ").map((figure) => figure.replaceAll(" ", "\u00a0")).join(" · ");

/** Where one answer is shown. */
export class ReplyView {
  constructor({ label = "" } = {}) {
    this.markdown = new Markdown();
    this.thought = new Markdown();
    this.summary = h("summary", {}, "Reasoning");
    this.fold = h("details", { class: "curc-thought", hidden: true }, this.summary, this.thought.element);
    this.line = h("span", { class: "curc-quiet curc-figures" });
    this.copy = copyButton(() => this.reply?.text ?? "", "Copy this answer as Markdown");
    this.actions = h("span", { class: "curc-actions", hidden: true }, this.copy);
    this.foot = h("div", { class: "curc-reply-foot" }, this.line, this.actions);
    this.trouble = h("div", { class: "curc-notice curc-error", hidden: true });
    this.element = h("div", { class: "curc-reply", role: "group", "aria-label": label || "Answer" },
      this.fold, this.markdown.element, this.trouble, this.foot);
  }

  show(reply) {
    const { text, thought, ...rest } = reply;
    const look = JSON.stringify([text.length, thought.length, rest]);
    if (look === this.look && this.reply.id === reply.id) return;
    this.look = look;
    this.reply = reply;
    const busy = BUSY.has(reply.phase);
    this.markdown.show(reply.text, !busy);
    this.showThought(reply);
    this.showTrouble(reply.trouble);
    this.line.textContent = keepFiguresWhole(reply.line ?? "");
    this.actions.hidden = busy;
    this.copy.hidden = !reply.text;
    this.element.classList.toggle("curc-busy", busy);
    this.element.classList.toggle("curc-before", busy && !reply.text);
  }

  showThought({ thought, phase, thought_s: seconds }) {
    this.fold.hidden = !thought;
    if (!thought) return;
    this.summary.textContent = phase === "reasoning" ? "Reasoning …" : seconds >= 0.1 ? `Reasoning (${seconds.toFixed(1)} s)` : "Reasoning";
    this.thought.show(thought, phase !== "reasoning");
  }

  showTrouble(trouble) {
    this.trouble.hidden = !trouble;
    if (!trouble) return;
    this.trouble.replaceChildren(icon("warning"),
      h("span", {}, h("b", {}, trouble.message), trouble.remedy ? ` ${trouble.remedy}` : ""));
  }
}
