// Keys: Esc stops (or closes what lies above), the up arrow in an empty box edits the last message. Where a message is
// edited, Enter sends it, Shift-Enter begins a line, Esc leaves it as it was.
(() => {
  "use strict";
  const EDITED = "#curc-chat .edit-textarea";
  const act = (field, name) => {
    const buttons = field.closest(".message-row")?.nextElementSibling;
    buttons?.querySelector(`button[aria-label="${name}"]`)?.click();
  };
  const edit = (event) => {
    const isSent = event.key === "Enter" && !event.shiftKey;
    if (!isSent && event.key !== "Escape") return;
    event.preventDefault();
    act(event.target, isSent ? "Submit" : "Cancel");
    document.querySelector("#curc-message textarea")?.focus();
  };
  const fit = (field) => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + 2}px`; // with its border
  };
  document.addEventListener("input", (event) => {
    if (event.target.matches?.(EDITED)) fit(event.target);
  });
  curc.onChange.push(() => {
    for (const field of document.querySelectorAll(`${EDITED}:not([data-curc-fits])`)) {
      field.dataset.curcFits = "yes";
      if (curc.clean(field.value) !== field.value.trim()) curc.fill(field, curc.clean(field.value));
      fit(field);
      field.focus();
      field.setSelectionRange(field.value.length, field.value.length);
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (event.target.matches?.(EDITED)) {
      edit(event);
      return;
    }
    if (event.key === "Escape") {
      const menu = document.querySelector("details.curc-menu[open]");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      } else if (!curc.closeOverlay()) document.querySelector("#curc-message .stop-button")?.click();
    }
    if (event.key === "ArrowUp" && event.target.matches?.("#curc-message textarea") && !event.target.value) {
      const last = [...document.querySelectorAll("#curc-chat .user-row")].at(-1);
      const button = last?.nextElementSibling?.querySelector('button[aria-label="Edit"]');
      if (!button) return;
      event.preventDefault();
      button.click();
    }
  });
})();
