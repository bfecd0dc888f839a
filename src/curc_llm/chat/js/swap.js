// Another model in place of this one: a dialog with those that fit on the session's GPUs, or any that is named.
(() => {
  "use strict";
  const make = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  const makeItem = ({ model, line }, onChoose) => {
    const words = [make("strong", { textContent: model }), make("span", { textContent: line })];
    const button = make("button", { type: "button", className: "curc-swap-item" }, ...words);
    button.addEventListener("click", () => onChoose(model));
    return make("li", {}, button);
  };

  // Later words narrow the list; a name that isn't in it may be a hub id or a folder.
  const fits = ({ model, line }, text) =>
    text.toLowerCase().split(/\s+/).every((word) => `${model} ${line}`.toLowerCase().includes(word));

  let shown = null;
  curc.endSwap = ({ refusal }) => shown?.(refusal);

  curc.showSwap = ({ engine, models }) => {
    document.getElementById("curc-dialog")?.remove(); // Gradio may send a click twice
    const dialog = make("dialog", { id: "curc-dialog", className: "curc-swap", ariaLabel: `Exchange ${engine}` });
    const input = make("input", { placeholder: "qwen3-8b, OWNER/NAME, or a folder", spellcheck: false, autocomplete: "off" });
    const list = make("ul", { className: "curc-swap-list" });
    list.setAttribute("aria-label", "Models that fit");
    const note = make("p", { className: "curc-none", role: "status" });
    const refusal = make("p", { className: "curc-refusal", id: "curc-swap-refusal", role: "alert" });
    input.setAttribute("aria-describedby", refusal.id);
    const end = () => {
      shown = null;
      dialog.close();
      dialog.remove();
      document.querySelector('[data-curc-do="swap-list"]')?.focus();
    };
    const go = make("button", { type: "button", className: "curc-main", textContent: "Exchange", disabled: true });
    const cancel = make("button", { type: "button", textContent: "Cancel" });
    let isAsked = false;
    const refuse = (words) => {
      isAsked = false;
      refusal.textContent = words;
      input.ariaInvalid = String(Boolean(words));
    };
    const look = () => {
      refuse("");
      const text = input.value.trim();
      const isChosen = models.some(({ model }) => model === text);
      const found = isChosen ? models : models.filter((one) => fits(one, text));
      list.replaceChildren(...found.map((one) => makeItem(one, choose)));
      for (const item of list.querySelectorAll("button"))
        item.ariaPressed = String(item.firstElementChild.textContent === text);
      note.textContent = found.length ? "" : "None of the known models that fit is called so; a hub id or a folder does too.";
      go.disabled = !text;
    };
    const choose = (model) => {
      input.value = model;
      look();
      list.querySelector('[aria-pressed="true"]')?.scrollIntoView({ block: "nearest" });
      go.focus();
    };
    const exchange = () => {
      const model = input.value.trim();
      if (!model || isAsked) return;
      refuse("");
      isAsked = go.disabled = true;
      note.textContent = "It is being looked whether it fits.";
      curc.send("swap", engine, model);
    };
    // What was typed stays, for another try; an answer to a dialog that was closed is nobody's.
    shown = (words) => {
      if (!words) return end();
      if (!isAsked) return;
      look();
      refuse(words);
      input.focus();
    };
    input.addEventListener("input", look);
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      exchange();
    });
    go.addEventListener("click", exchange);
    cancel.addEventListener("click", end);
    dialog.addEventListener("cancel", end);
    const about = `${engine} stops for everybody once the other one is here; chats are kept. If the other one can't start, ${engine} comes back.`;
    dialog.append(
      make("label", { textContent: `Exchange ${engine} for` }, input),
      refusal,
      note,
      list,
      make("p", { className: "curc-none", textContent: about }),
      make("div", { className: "curc-dialog-row" }, cancel, go),
    );
    look();
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
  };
})();
