// A pencil under each answer: it is changed in a dialog, and what was made of it is kept as one more version.
(() => {
  "use strict";
  const make = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  let shown = null;
  const open = (id, text) => {
    shown?.close();
    const chat = curc.chat;
    const title = make("label", { textContent: "Edit the answer", htmlFor: "curc-edited" });
    const field = make("textarea", { id: "curc-edited", value: text });
    const hint = make("p", { className: "curc-none", id: "curc-edited-hint" });
    hint.textContent = "It is kept beside the model's own, and what you ask next goes on from it.";
    field.setAttribute("aria-describedby", hint.id);
    const refusal = make("p", { className: "curc-refusal" });
    refusal.setAttribute("role", "alert");
    const cancel = make("button", { type: "button", textContent: "Cancel" });
    const keep = make("button", { type: "button", className: "curc-main", textContent: "Save" });
    const row = make("div", { className: "curc-dialog-row" }, cancel, keep);
    const dialog = make("dialog", { id: "curc-dialog", className: "curc-wide", ariaLabel: "Edit the answer" });
    dialog.append(title, field, hint, refusal, row);
    const close = () => {
      dialog.close();
      dialog.remove();
      shown = null;
    };
    // What was written isn't lost by one press of Esc.
    let isWarned = false;
    const leave = (event) => {
      event.preventDefault();
      if (isWarned || field.value === text || !field.value.trim()) {
        close();
        return;
      }
      isWarned = true;
      refusal.textContent = "Your changes aren't saved. Save them, or press Esc once more to drop them.";
    };
    const save = () => {
      refusal.textContent = "";
      curc.send("answer-edit", `${chat} ${id}`, field.value);
    };
    const end = (words) => (words ? (refusal.textContent = words) : close());
    cancel.addEventListener("click", close);
    keep.addEventListener("click", save);
    dialog.addEventListener("cancel", leave);
    dialog.addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && leave(event));
    field.addEventListener("input", () => (isWarned = false));
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      save();
    });
    shown = { close, end };
    document.body.append(dialog);
    dialog.showModal();
    field.setSelectionRange(0, 0);
    field.scrollTop = 0;
  };

  curc.editAnswer = (id) => curc.send("answer", `${curc.chat} ${id}`);
  curc.showAnswer = ({ id, text }) => open(id, text);
  curc.endEdit = ({ refusal = "" }) => shown?.end(refusal);
})();
