// What can be set for a chat: model, system prompt, sampling.
import { h } from "./dom.js";

const FIELDS = [
  ["temperature", "Temperature", "0 picks the likeliest word each time; higher is more varied."],
  ["top_p", "Top-p", "Picks among the likeliest words that make up this share, 0 to 1."],
  ["max_tokens", "Max. tokens", "The longest answer; a token is about three quarters of a word."],
  ["seed", "Seed", "The same seed mostly gives the same answer again."],
];

/** The form; each change is told to the kernel, which refuses what can't be. */
export function makeSettings(panel) {
  const inputs = new Map();
  const tell = (name) => async (event) => {
    const done = await panel.act("set", { [name]: event.target.value });
    event.target.setAttribute("aria-invalid", String(done === null));
  };
  const system = h("textarea", { class: "curc-input", rows: "2", placeholder: "How the model should behave.", onchange: tell("system") });
  inputs.set("system", system);
  const numbers = FIELDS.map(([name, label, tip]) => {
    const input = h("input", { class: "curc-input", inputmode: "decimal", placeholder: "default", title: tip, size: "8", onchange: tell(name) });
    inputs.set(name, input);
    return h("label", { class: "curc-field", title: tip }, label, input);
  });
  const element = h("div", { class: "curc-settings", hidden: true },
    h("label", { class: "curc-field" }, "System prompt", system), h("div", { class: "curc-numbers" }, numbers));

  function show(settings) {
    for (const [name, input] of inputs) {
      if (input !== document.activeElement && input.getAttribute("aria-invalid") !== "true")
        input.value = settings[name] ?? "";
    }
  }
  return { element, show };
}

/** Which model to ask; hidden when there is only one. */
export function makeModelChoice(panel) {
  const element = h("select", { class: "curc-input curc-model", "aria-label": "Model", onchange: () => panel.act("set", { model: element.value }) });
  function show(models, chosen) {
    element.hidden = models.length < 2;
    const known = [...element.options].map((option) => option.value);
    if (known.join("\n") !== models.join("\n")) element.replaceChildren(...models.map((name) => h("option", { value: name }, name)));
    element.value = chosen;
  }
  return { element, show };
}
