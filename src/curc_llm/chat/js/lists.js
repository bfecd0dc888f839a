// The list of a field opens when a person asks for it: with a click, an arrow key or a letter. Gradio opens it with the
// focus, over what stands below or above the field, and takes Tab for a letter, so that it stays open behind Tab.
(() => {
  "use strict";
  const FIELD = '#curc-settings [role="combobox"]';
  let isTab = false;
  const isField = (event) => Boolean(event.target.matches?.(FIELD));
  const open = (field) => {
    isTab = false;
    if (field.ariaExpanded === "false") field.dispatchEvent(new FocusEvent("focus"));
  };
  document.addEventListener("keydown", (event) => {
    isTab = event.key === "Tab";
    if (!isField(event)) return;
    if (isTab) event.stopPropagation();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") open(event.target);
  }, true);
  document.addEventListener("pointerdown", () => (isTab = false), true);
  document.addEventListener("focus", (event) => {
    if (isTab && isField(event)) event.stopPropagation();
  }, true);
  document.addEventListener("click", (event) => {
    if (isField(event)) open(event.target);
  });
})();
