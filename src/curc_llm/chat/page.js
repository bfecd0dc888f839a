// Small things that Gradio leaves undone. Runs before Gradio does; reads nothing and sends nothing.
(() => {
  "use strict";

  // What the invisible marks stand for is put back when a person copies (markup.py says what they are).
  const clean = (text) =>
    text
      .replace(/\u2064[^\u2064]*\u2064\n?/g, "")
      .replace(/(&lt;|\\<)\u2063/g, "<")
      .replace(/\u2063\[/g, "![")
      .replace(/\u2063/g, "")
      .trim();
  const clipboard = navigator.clipboard;
  if (clipboard) {
    const write = clipboard.writeText.bind(clipboard);
    clipboard.writeText = (text) => write(clean(text));
  }

  // Names for screen readers.
  const names = [
    [".submit-button", "Send"],
    [".stop-button", "Stop"],
    ["#curc-settings .toggle-button", "Settings"],
  ];
  const name = () => {
    for (const [selector, label] of names) {
      for (const element of document.querySelectorAll(selector)) {
        if (element.ariaLabel !== label) {
          element.ariaLabel = label;
          element.title = label;
        }
      }
    }
    for (const title of document.querySelectorAll(".thought-group > .title")) {
      const expanded = String(title.classList.contains("expanded"));
      if (title.ariaExpanded !== expanded) title.ariaExpanded = expanded;
      const arrow = title.querySelector("button");
      if (arrow && arrow.tabIndex !== -1) {
        arrow.tabIndex = -1;
        arrow.ariaHidden = "true";
      }
    }
  };
  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      name();
    });
  }).observe(document, { childList: true, subtree: true });
})();
