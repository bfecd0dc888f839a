// A file of the cluster is named in a dialog that completes what is typed. It stays open until the file is attached.
(() => {
  "use strict";
  const element = (name, properties, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const STEPS = { ArrowDown: 1, ArrowUp: -1 };

  // What a path may go on with: a list in which arrow keys choose, while the person stays in the field.
  const makeChoices = (input, onTake) => {
    const names = { role: "listbox", "aria-label": "Files and folders" };
    const list = element("ul", { className: "curc-paths", id: "curc-paths" }, names);
    let at = -1;
    const choose = (number) => {
      at = number;
      [...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === at)));
      const chosen = list.children[at];
      if (chosen) input.setAttribute("aria-activedescendant", chosen.id);
      else input.removeAttribute("aria-activedescendant");
      chosen?.scrollIntoView({ block: "nearest" });
    };
    const make = ([text, name, size], number) => {
      const parts = [element("span", { textContent: name }), element("span", { textContent: size })];
      const item = element("li", { id: `curc-path-${number}` }, { role: "option" }, ...parts);
      item.dataset.curcPath = text;
      // The field keeps the focus.
      item.addEventListener("mousedown", (event) => event.preventDefault());
      item.addEventListener("click", () => onTake(text));
      return item;
    };
    const show = (items) => {
      list.replaceChildren(...items.map(make));
      list.hidden = !items.length;
      input.ariaExpanded = String(items.length > 0);
      choose(-1);
    };
    const step = (by) => {
      const { length } = list.children;
      if (length) choose(at < 0 && by < 0 ? length - 1 : (at + by + length) % length);
    };
    show([]);
    const only = () => list.children.length === 1 && list.children[0];
    return { list, show, step, only, chosen: () => list.children[at], forget: () => choose(-1) };
  };

  let shown = null;
  curc.showPaths = (found) => shown?.show(found);
  curc.endPath = ({ refusal }) => {
    if (shown) shown.end(refusal);
    else if (refusal) curc.tell("Not attached", refusal, true);
  };

  const attributes = { role: "combobox", "aria-autocomplete": "list", "aria-controls": "curc-paths" };
  const makeField = () =>
    element("input", { placeholder: "~/data/results.csv", spellcheck: false, autocomplete: "off" }, {
      ...attributes,
      "aria-describedby": "curc-path-refusal",
    });

  curc.askPath = () => {
    let timer = 0;
    const input = makeField();
    const hint = element("p", { className: "curc-none" }, { role: "status" });
    const refusal = element("p", { className: "curc-refusal", id: "curc-path-refusal" }, { role: "alert" });
    const cancel = element("button", { type: "button", textContent: "Cancel" });
    const ok = element("button", { type: "button", className: "curc-main", textContent: "Attach" });
    const dialog = element("dialog", { id: "curc-dialog", ariaLabel: "File on the cluster" });

    const refuse = (words) => {
      refusal.textContent = words;
      input.ariaInvalid = String(Boolean(words));
      ok.disabled = false;
    };
    const complete = () => {
      refuse("");
      choices.forget(); // it belongs to what stood there before
      clearTimeout(timer);
      timer = setTimeout(() => curc.send("complete", input.value), 120);
    };
    const take = (text) => {
      input.value = text;
      input.focus();
      complete();
    };
    const choices = makeChoices(input, take);
    const close = () => {
      clearTimeout(timer);
      shown = null;
      dialog.close();
      dialog.remove();
    };
    const attach = () => {
      if (!input.value.trim() || ok.disabled) return;
      clearTimeout(timer);
      refuse("");
      ok.disabled = true;
      choices.show([]);
      hint.textContent = "The file is being read.";
      curc.send("attach", input.value);
    };
    const end = (words) => {
      if (!words) return close();
      hint.textContent = "";
      refuse(words);
      input.focus();
    };
    const show = (found) => {
      if (found.for !== input.value || ok.disabled) return;
      hint.textContent = found.reason;
      choices.show(found.items);
    };
    const press = (event) => {
      const way = event.key === "Tab" && !event.shiftKey ? choices.only() : choices.chosen();
      // What stands in the field already is no choice: Enter attaches it, Tab goes on to the buttons.
      const chosen = way && way.dataset.curcPath !== input.value ? way : null;
      if (STEPS[event.key]) choices.step(STEPS[event.key]);
      else if (["Enter", "Tab"].includes(event.key) && chosen) take(chosen.dataset.curcPath);
      else if (event.key === "Enter") attach();
      else return;
      event.preventDefault();
    };
    shown = { show, end };
    input.addEventListener("input", complete);
    input.addEventListener("keydown", (event) => event.isComposing || press(event));
    cancel.addEventListener("click", close);
    ok.addEventListener("click", attach);
    dialog.addEventListener("cancel", close);
    const label = element("label", { textContent: "File on the cluster" });
    label.append(input);
    dialog.append(label, choices.list, hint, refusal, element("div", { className: "curc-dialog-row" }, {}, cancel, ok));
    document.body.append(dialog);
    dialog.showModal();
    complete();
  };
})();
