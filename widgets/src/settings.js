// What can be set for a chat: model, system prompt, sampling.
import { h } from "./dom.js";

const FIELDS = [
  ["temperature", "Temperature", "0 picks the likeliest word each time; higher is more varied."],
  ["top_p", "Top-p", "Picks among the likeliest words that make up this share, 0 to 1."],
  ["max_tokens", "Max. tokens", "The longest answer; a token is about three quarters of a word."],
  ["seed", "Seed", "The same seed mostly gives the same answer again."],
];

let forms = 0;

/** The form; each change is told to the kernel, which refuses what can't be. Nothing is sent until that is mended. */
export function makeSettings(panel) {
  const id = `curc-settings-${++forms}`;
  const inputs = new Map();
  const wrong = new Map();
  let telling = Promise.resolve();
  const told = h("div", { class: "curc-wrong", id, role: "alert" });
  const tell = (name) => (event) => {
    const input = event.target;
    const refuse = ({ message }) => mark(name, input, message);
    telling = panel.act("set", { [name]: input.value }, refuse).then((done) => done && mark(name, input, ""));
  };

  function mark(name, input, message) {
    if (message) wrong.set(name, message);
    else wrong.delete(name);
    input.setAttribute("aria-invalid", String(Boolean(message)));
    input.setAttribute("aria-describedby", id);
    told.replaceChildren(...[...wrong.values()].map((text) => h("div", {}, text)));
    told.hidden = !wrong.size;
  }

  /** Whether all that was entered holds; if not, shows what doesn't. */
  async function check() {
    await telling;
    if (!wrong.size) return true;
    panel.notice([...wrong.values()][0], "Mend it in the settings above, then send.");
    inputs.get([...wrong.keys()][0]).focus();
    return false;
  }
  const system = h("textarea", { class: "curc-input", rows: "2", placeholder: "How the model should behave.", onchange: tell("system") });
  inputs.set("system", system);
  const numbers = FIELDS.map(([name, label, tip]) => {
    const input = h("input", { class: "curc-input", inputmode: "decimal", placeholder: "default", title: tip, size: "8", onchange: tell(name) });
    inputs.set(name, input);
    return h("label", { class: "curc-field", title: tip }, label, input);
  });
  const element = h("div", { class: "curc-settings", hidden: true },
    h("label", { class: "curc-field" }, "System prompt", system), h("div", { class: "curc-numbers" }, numbers), told);
  told.hidden = true;

  function show(settings) {
    for (const [name, input] of inputs) {
      if (input !== document.activeElement && input.getAttribute("aria-invalid") !== "true")
        input.value = settings[name] ?? "";
    }
  }
  return { element, show, check };
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
