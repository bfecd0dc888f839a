// Clicks on our own lists and buttons go to the server as commands, through a hidden text box of Gradio's.
(() => {
  "use strict";
  // Only what our server wrote counts: an answer of the model could hold an element with our attributes.
  const OURS = "#curc-shelf, #curc-chips, #curc-session, #curc-notice, #curc-settings, #curc-dialog, #curc-meter";
  let number = 0;

  const box = () => document.querySelector("#curc-command textarea, #curc-command input");
  curc.fill = (element, text) => {
    const prototype = element.tagName === "TEXTAREA" ? HTMLTextAreaElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(prototype.prototype, "value").set.call(element, text);
    element.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const write = (command) => curc.fill(box(), JSON.stringify(command));

  curc.isDrawn = () => Boolean(box());
  curc.send = (name, value = "", text = "") => {
    number += 1;
    write({ do: name, value, text, n: number });
  };

  // Asks for a line of text; resolves to null when the person thinks better of it.
  curc.ask = (label, text) =>
    new Promise((resolve) => {
      const dialog = document.createElement("dialog");
      dialog.id = "curc-dialog";
      const title = document.createElement("label");
      title.textContent = label;
      const input = document.createElement("input");
      input.value = text;
      input.maxLength = 80;
      title.append(input);
      const end = (value) => {
        dialog.close();
        dialog.remove();
        resolve(value);
      };
      const button = (words, value, className = "") => {
        const element = document.createElement("button");
        element.type = "button";
        element.className = className;
        element.textContent = words;
        element.addEventListener("click", () => end(value()));
        return element;
      };
      const row = document.createElement("div");
      row.className = "curc-dialog-row";
      dialog.ariaLabel = label;
      row.append(button("Cancel", () => null), button("Save", () => input.value, "curc-main"));
      input.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.isComposing) return;
        event.preventDefault(); // or it would press the button that the focus goes back to
        end(input.value);
      });
      dialog.addEventListener("cancel", () => end(null));
      dialog.append(title, row);
      document.body.append(dialog);
      dialog.showModal();
      input.select();
    });

  document.addEventListener("click", async (event) => {
    // A person's click beside an open menu closes it; those that our scripts make themselves don't.
    if (event.isTrusted)
      for (const menu of document.querySelectorAll("details.curc-menu[open]"))
        if (!menu.contains(event.target)) menu.open = false;
    const element = event.target.closest?.("[data-curc-do]");
    if (!element?.closest(OURS)) return;
    const { curcDo: name, curcValue: value = "", curcAsk: ask, curcText: text = "" } = element.dataset;
    element.closest("details.curc-menu")?.removeAttribute("open");
    const words = ask === undefined ? "" : await curc.ask(ask, text);
    if (words !== null) curc.send(name, value, words);
  });
})();
