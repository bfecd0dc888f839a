// The form that launches a session. The kernel plans each change and says what fits and what it costs.
import { h } from "./base.js";
import { drawVerdict } from "./launch_verdict.js";
import { keeper, message } from "./pieces.js";

const TYPING_MS = 400;
let forms = 0;

export function makeLaunchForm(panel) {
  const id = `curc-launch-${++forms}`;
  const inputs = {};
  const title = h("span", { class: "curc-title curc-grow" }, "Launch a session");
  const close = h("button", { type: "button", class: "curc-button curc-small", onclick: () => panel.act("close_launch") }, "Not now");
  const notice = h("div", {});
  const verdict = h("div", { class: "curc-verdict", "aria-live": "polite" });
  const problem = h("div", {});
  const hint = h("div", { class: "curc-quiet" });
  const button = h("button", { type: "submit", class: "curc-button curc-primary" }, "Launch");
  const keep = { notice: keeper(notice), verdict: keeper(verdict), problem: keeper(problem) };
  // What a person changed and the kernel doesn't know yet: only that is sent, and nothing overwrites it.
  const edited = new Set();
  let typing = null;

  const field = (name, label, input, more = {}) => {
    inputs[name] = input;
    input.id = `${id}-${name}`;
    input.name = name;
    input.addEventListener(input.tagName === "SELECT" || input.type === "checkbox" ? "change" : "input", (event) => changed(event.target));
    return h("div", { class: "curc-field", ...more }, h("label", { for: input.id }, label), input);
  };
  const text = (props = {}) => h("input", { class: "curc-input", type: "text", autocomplete: "off", spellcheck: "false", ...props });
  const select = () => h("select", { class: "curc-input" });

  const fields = {
    model: field("model", "Model", select()),
    own_model: field("own_model", "Name at Hugging Face, or a folder", text({ placeholder: "Qwen/Qwen3-4B" })),
    embed: field("embed", "Embedding model beside it", select()),
    gpus: field("gpus", "GPUs", select()),
    hours: field("hours", "Hours", text({ inputmode: "decimal", class: "curc-input curc-short" }), { class: "curc-field curc-half curc-number" }),
    account: field("account", "Account", text({ list: `${id}-accounts` }), { class: "curc-field curc-half" }),
    preset: field("preset", "Purpose", select()),
    context_tokens: field("context_tokens", "Context length", select()),
    qos: field("qos", "QoS", select()),
    idle_min: field("idle_min", "End after idle minutes", text({ inputmode: "numeric", class: "curc-input curc-short" })),
    reservation: field("reservation", "Reservation", text()),
    mail: field("mail", "E-mail when it is ready", h("input", { type: "checkbox" }), { class: "curc-field curc-check" }),
  };
  const accounts = h("datalist", { id: `${id}-accounts` });
  const first = h("div", { class: "curc-fields" }, fields.model, fields.own_model, fields.gpus, fields.hours, fields.account);
  const rest = ["embed", "preset", "context_tokens", "qos", "idle_min", "reservation", "mail"].map((name) => fields[name]);
  const more = h("details", { class: "curc-details" }, h("summary", {}, "More"), h("div", { class: "curc-fields" }, rest));
  const form = h("form", { class: "curc-section curc-column", novalidate: true, onsubmit: submit },
    notice, first, accounts, more, verdict, problem, h("div", { class: "curc-row curc-buttons" }, button, hint));
  const element = h("div", { class: "curc-launch" }, h("div", { class: "curc-head" }, title, close), form);

  function read() {
    const values = [...edited].map((name) => [name, inputs[name].type === "checkbox" ? inputs[name].checked : inputs[name].value]);
    edited.clear();
    clearTimeout(typing);
    return Object.fromEntries(values);
  }

  function changed(input) {
    edited.add(input.name);
    clearTimeout(typing);
    if (input.tagName === "SELECT" || input.type === "checkbox") panel.act("change", read());
    else typing = setTimeout(() => panel.act("change", read()), TYPING_MS);
  }

  function submit(event) {
    event.preventDefault();
    if (!button.disabled) panel.act("submit", read());
  }

  const take = (values) => panel.act("change", { ...read(), ...values });

  function show(name, value) {
    const input = inputs[name];
    if (!input || edited.has(name)) return;
    if (input.type === "checkbox") input.checked = Boolean(value);
    else if (input.value !== value) input.value = value;
  }

  const shown = {};
  function offer(name, options) {
    const key = JSON.stringify(options);
    if (shown[name] === key) return;
    shown[name] = key;
    inputs[name].replaceChildren(...group(options));
  }

  function update(state, whole) {
    title.textContent = state.is_local ? "Start a session on this machine" : `Launch a session${state.title ? ` at ${state.title}` : ""}`;
    element.classList.toggle("curc-local", Boolean(state.is_local));
    close.hidden = !(whole.card || whole.picker);
    keep.notice(state.notice, () => (state.notice ? message("", "", state.notice) : []));
    offer("model", state.models ?? []);
    offer("gpus", state.gpus?.length ? state.gpus : [{ value: "", label: "…", group: "" }]);
    offer("embed", state.embedders ?? []);
    offer("preset", state.presets ?? []);
    offer("context_tokens", state.contexts ?? []);
    offer("qos", state.qos ?? []);
    accounts.replaceChildren(...(state.account?.examples ?? []).map((value) => h("option", { value })));
    Object.entries(state.values ?? {}).forEach(([name, value]) => show(name, value));
    for (const name of ["embed", "gpus", "account", "preset", "context_tokens", "qos", "reservation", "mail"]) fields[name].hidden = state.is_local;
    fields.own_model.hidden = inputs.model.value !== "own";
    inputs.hours.placeholder = state.is_local ? "no end" : "";
    inputs.account.placeholder = state.account?.default || (state.account?.is_required ? "required" : "your usual one");
    keep.verdict([state.verdict, state.models?.length], () => drawVerdict(state, take));
    keep.problem(state.problem, () => (state.problem ? message("error", state.problem.message, state.problem.remedy) : []));
    button.disabled = state.is_launching || !state.models?.length || state.verdict?.kind === "refused";
    button.textContent = state.is_launching ? "Launching …" : state.is_local ? "Start" : "Launch";
    hint.textContent = state.hint ?? "";
  }
  return { element, update };
}

function group(options) {
  const groups = new Map();
  for (const { value, label, group: name } of options) {
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(h("option", { value }, label));
  }
  return [...groups].flatMap(([label, some]) => (label ? [h("optgroup", { label }, some)] : some));
}
