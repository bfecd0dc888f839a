// The card of a session: how it is, how long and for how much it runs, and how to use it from elsewhere.
import { copyButton, copyText, h } from "./base.js";
import { now, renderClock, renderDuration, renderNumber } from "./durations.js";
import { askingButton, bar, dot, figures, keeper, message, tabs } from "./pieces.js";

export function makeCard(panel) {
  const head = h("div", { class: "curc-head" });
  const phase = h("div", { class: "curc-section curc-column" });
  const facts = h("div", { class: "curc-section" });
  const access = h("div", { class: "curc-section curc-column" });
  const actions = h("div", { class: "curc-section curc-row curc-buttons" });
  const element = h("div", { class: "curc-card" }, head, phase, facts, access, actions);
  const keep = Object.fromEntries(Object.entries({ head, phase, facts, access, actions }).map(([name, part]) => [name, keeper(part)]));
  let card = null;
  let heard = "";

  // The clock runs here: the kernel sends times, and nothing while nothing changes.
  const timer = setInterval(() => card && drawClock(), 1000);
  panel.onClose(() => clearInterval(timer));

  function drawClock() {
    phase.hidden = isQuiet(card);
    keep.phase([card.level, card.headline, card.detail, card.remedy, card.warning, card.problem, progressKey(card)], () => drawPhase(card));
    const pairs = listFacts(card);
    facts.hidden = !pairs.length;
    keep.facts(pairs, () => figures(pairs));
  }

  function update(state) {
    card = state;
    keep.head([card.title, card.name, card.place, card.level, isQuiet(card)], () => drawHead(card));
    drawClock();
    access.hidden = !card.base_url;
    keep.access([card.base_url, card.key_file, card.can_copy_key, card.snippets], () => (card.base_url ? drawAccess(panel, card) : []));
    actions.hidden = !(card.can_stop || card.can_launch_again);
    keep.actions([card.can_stop, card.can_launch_again, card.is_stopping], () => drawActions(panel, card));
    const said = `${card.headline}. ${card.is_over ? card.detail : ""}`;
    if (said !== heard) panel.announce((heard = said));
  }
  return { element, update };
}

// Ready, and nothing to say about it: the head says so.
const isQuiet = (card) => card.level === "ok" && !card.detail && !card.remedy && !card.warning && !card.problem;

function drawHead(card) {
  return [
    dot(card.level),
    h("span", { class: "curc-title", title: card.title }, card.title || card.name),
    h("span", { class: "curc-quiet curc-grow curc-status" }, isQuiet(card) ? card.headline : ""),
    h("span", { class: "curc-quiet curc-where" }, card.title ? card.name : "", card.place ? ` · ${card.place}` : ""),
  ];
}

// What changes with the clock alone, as coarse as it is shown.
function progressKey(card) {
  const progress = card.progress;
  if (!progress) return null;
  return progress.expected_s && progress.since ? Math.floor(now() - progress.since) : progress;
}

function drawPhase(card) {
  const lines = [
    h("div", { class: "curc-row" },
      h("b", { class: "curc-headline" }, card.headline),
      card.detail && !card.is_over && card.level !== "trouble" ? h("span", { class: "curc-quiet" }, card.detail) : null),
  ];
  if (card.is_over || card.level === "trouble") lines.push(h("div", {}, card.detail));
  if (card.remedy) lines.push(h("div", { class: "curc-quiet" }, card.remedy));
  if (card.progress && !card.is_over) lines.push(...drawProgress(card.progress));
  if (card.warning && !card.is_over) lines.push(message("warn", "", card.warning));
  if (card.problem) lines.push(message("error", card.problem.message, card.problem.remedy));
  return lines;
}

function drawProgress({ share, since, expected_s }) {
  const passed = since ? Math.max(0, now() - since) : null;
  const shown = expected_s && passed !== null ? Math.min(0.97, passed / expected_s) : share;
  const time = passed === null ? "" : `${renderDuration(passed)}${expected_s ? ` of about ${renderDuration(expected_s)}` : " so far"}`;
  return [bar(shown ?? null, "Progress"), time ? h("div", { class: "curc-quiet curc-figures" }, time) : null];
}

function listFacts(card) {
  const pairs = [];
  const at = now();
  if (card.ends_at && !card.is_over) {
    const left = card.ends_at - at;
    pairs.push(["Time left", left > 0 ? `${renderDuration(left)}, until ${renderClock(card.ends_at)}` : "its time is up"]);
  }
  if (card.cost) pairs.push(["Cost", renderCost(card, at)]);
  const idle = card.idle_stop_at ? card.idle_stop_at - at : Infinity;
  if (idle < 900 && idle < (card.ends_at ?? Infinity) - at) pairs.push(["Ends if unused", `in ${renderDuration(idle)}`]);
  const contexts = (card.models ?? []).filter((model) => model.context_tokens);
  for (const model of contexts)
    pairs.push([contexts.length > 1 ? `Context of ${model.name}` : "Context", `${renderNumber(model.context_tokens)} tokens${model.kind === "embeddings" ? " (embeddings)" : ""}`]);
  if (card.ended_at) pairs.push(["Ended", renderClock(card.ended_at)]);
  return pairs;
}

function renderCost({ cost, ended_at }, at) {
  const hours = cost.since ? Math.max(0, (ended_at ?? at) - cost.since) / 3600 : 0;
  const spent = Math.min(cost.su_per_h * hours, cost.su_most || Infinity);
  if (ended_at) return `${renderNumber(spent, 1)} ${cost.unit}`;
  if (!cost.since) return cost.su_most ? `at most ${renderNumber(cost.su_most, 1)} ${cost.unit}` : "";
  const left = cost.su_most ? `, ${renderNumber(cost.su_most - spent, 1)} left` : "";
  return `${renderNumber(spent, 1)} ${cost.unit} so far${left}`;
}

function drawAccess(panel, card) {
  const rows = [
    h("div", { class: "curc-row curc-address" },
      h("span", { class: "curc-quiet" }, "Endpoint"),
      h("code", { class: "curc-mono curc-grow" }, card.base_url),
      copyButton(() => card.base_url, "Copy the endpoint")),
    h("div", { class: "curc-row curc-address" },
      h("span", { class: "curc-quiet" }, "Key"),
      h("span", { class: card.key_file ? "curc-mono curc-grow" : "curc-grow" }, breakable(card.key_file || "only this kernel has it")),
      card.can_copy_key ? drawKeyButton(panel) : null),
  ];
  if (card.snippets?.length) rows.push(drawSnippets(card.snippets));
  return rows;
}

// A long path goes on in the next line after a slash rather than within a name; the text that is copied is the same.
function breakable(path) {
  return path.split(/(?<=\/)(?!\/)/).flatMap((part, at) => (at ? [h("wbr"), part] : [part]));
}

// The key comes when it is asked for, goes to the clipboard, and is kept nowhere.
function drawKeyButton(panel) {
  const button = h("button", { type: "button", class: "curc-button curc-small", onclick: copy }, "Copy key");
  async function copy() {
    const answer = await panel.act("key");
    if (!answer?.key) return;
    const copied = await copyText(answer.key);
    button.textContent = copied ? "Copied" : "The browser doesn't allow it";
    setTimeout(() => (button.textContent = "Copy key"), 2000);
  }
  return button;
}

function drawSnippets(snippets) {
  const draw = (item) => h("div", { class: "curc-snippet" }, h("pre", { class: "curc-mono" }, item.text), copyButton(() => item.text, "Copy this"));
  return h("details", { class: "curc-details" }, h("summary", {}, "Use it from elsewhere"), ...tabs(snippets, draw, "Ways to reach the session"));
}

function drawActions(panel, card) {
  const parts = [];
  if (card.is_stopping) parts.push(h("span", { class: "curc-quiet" }, "Ending the session …"));
  else if (card.can_stop)
    parts.push(askingButton({ label: "Stop the session", question: "End it, for everybody who uses it?", yes: "End it", no: "Keep it", act: () => panel.act("stop") }));
  if (card.can_launch_again)
    parts.push(h("button", { type: "button", class: "curc-button curc-primary", onclick: () => panel.act("open_launch") }, "Launch again"));
  return parts;
}
