// Small things that Gradio leaves undone: names and roles for screen readers, ranks of headings, and what is copied.
(() => {
  "use strict";

  // What the invisible marks stand for is put back when a person copies (markup.py says what they are).
  const clean = (text) =>
    text
      .replace(/(`{3,})json \u2063\n([^]*?)\n\1(?!`)/g, "$2")
      .replace(/\u2064[^\u2064]*\u2064\n?/g, "")
      .replace(/\u2063\u2063\n\n/g, "")
      .replace(/(&lt;|\\<)\u2063/g, "<")
      .replace(/\u2063\\\]\u2063\\\[/g, "][")
      .replace(/\u2063\\\]\u2063/g, "]")
      .replace(/!\u2063\\\[/g, "![")
      .replace(/\u2063\u2063\\\[/g, "[")
      .replace(/\u2063/g, "")
      .trim();
  curc.clean = clean;
  const clipboard = navigator.clipboard;
  if (clipboard) {
    const write = clipboard.writeText.bind(clipboard);
    clipboard.writeText = (text) => write(clean(text));
  }

  const set = (element, name, value) => {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  };
  const names = [
    ["#curc-message .submit-button", "Send"],
    ["#curc-message .stop-button", "Stop"],
    ["#curc-settings > .toggle-button", "Settings"],
    ["#curc-shelf > .toggle-button", "Chats"],
    ["#curc-chat .edit-textarea", "Your message, changed"],
    ["#curc-chat .bubble-wrap", "Conversation"],
    ["#curc-other .bubble-wrap", "The other answer"],
  ];
  const attributes = [
    ["#curc-shelf", { role: "navigation", "aria-label": "Chats" }],
    ["#curc-settings", { role: "region", "aria-label": "Settings and session" }],
    // What scrolls must be reached by keyboard.
    ["#curc-chat .bubble-wrap", { tabindex: "0" }],
    ["#curc-other .bubble-wrap", { tabindex: "0" }],
    // A list holds items; Gradio says list, and means buttons in a row.
    ["#curc-chat .examples", { role: "group", "aria-label": "Example questions" }],
    ["#curc-chat .placeholder-content", { role: "group", "aria-label": "New conversation" }],
    ['#curc-settings [aria-label="Other model"]', { placeholder: "the same" }],
  ];

  const nameParts = () => {
    for (const [selector, label] of names) {
      const element = document.querySelector(selector);
      if (!element) continue;
      set(element, "aria-label", label);
      if (element.tagName === "BUTTON") set(element, "title", label);
    }
    for (const [selector, values] of attributes) {
      const element = document.querySelector(selector);
      if (element) for (const [name, value] of Object.entries(values)) set(element, name, value);
    }
    // What the model chooses by itself can be longer than its field.
    for (const field of document.querySelectorAll("#curc-settings input[placeholder]"))
      if (field.title !== field.placeholder) field.title = field.placeholder;
    for (const button of document.querySelectorAll(".sidebar > .toggle-button"))
      set(button, "aria-expanded", String(button.parentElement.classList.contains("open")));
  };

  // Gradio has a field's help in its name.
  const nameHelp = () => {
    for (const help of document.querySelectorAll("#curc-settings .info-text")) {
      const block = help.closest(".block");
      const field = block.querySelector("input, textarea");
      help.id = `${block.id}-help`;
      set(field, "aria-label", block.querySelector('[data-testid="block-info"]').textContent.trim());
      if (!field.hasAttribute("aria-describedby")) set(field, "aria-describedby", help.id);
    }
  };

  const nameFolds = () => {
    for (const button of document.querySelectorAll("#curc-settings .label-wrap")) {
      set(button, "aria-expanded", String(button.classList.contains("open")));
      set(button.querySelector(".icon"), "aria-hidden", "true");
    }
    for (const title of document.querySelectorAll(".thought-group > .title")) {
      set(title, "aria-expanded", String(title.classList.contains("expanded")));
      // The arrow does what the line does.
      const arrow = title.querySelector(".arrow");
      if (arrow && !arrow.inert) arrow.inert = true;
    }
  };

  // A heading of an answer ranks below the page's own; code and wide tables scroll, by keyboard too.
  const nameContent = () => {
    for (const heading of document.querySelectorAll(".message .prose :is(h1, h2, h3, h4)"))
      set(heading, "aria-level", String(Number(heading.tagName[1]) + 2));
    for (const code of document.querySelectorAll(".message .prose pre:not([tabindex])")) code.tabIndex = 0;
    for (const box of document.querySelectorAll('.message .prose input[type="checkbox"]:not([aria-label])'))
      box.ariaLabel = box.checked ? "Done" : "To do";
  };

  const nameButtons = () => {
    for (const button of document.querySelectorAll(".message-buttons button"))
      if (!button.title && button.ariaLabel) button.title = button.ariaLabel;
  };

  // Sizes are asked for of what is on the screen alone: the rest of a long conversation isn't laid out.
  const wide = ".message .prose :is(table, .katex-display)";
  const shown = new Set();
  const measure = (element) => {
    if (element.scrollWidth > element.clientWidth + 1) element.tabIndex = 0;
  };
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) shown.add(target);
      else shown.delete(target);
      if (isIntersecting && !curc.isAnswering()) measure(target);
    }
  });
  const nameScrolled = () => {
    if (curc.isAnswering()) return;
    for (const element of document.querySelectorAll(`${wide}:not([data-curc-watched])`)) {
      element.dataset.curcWatched = "yes";
      watcher.observe(element);
    }
    // After the next frame the page is laid out anyhow, and sizes cost nothing.
    if (shown.size) requestAnimationFrame(() => setTimeout(measureShown));
  };
  const measureShown = () => {
    for (const element of shown) {
      if (element.isConnected) measure(element);
      else shown.delete(element);
    }
  };

  curc.onChange.push(nameParts, nameHelp, nameFolds, nameButtons, nameContent, nameScrolled);
  // A fold or a sidebar changes no element, only a class.
  document.addEventListener("click", () => setTimeout(() => [nameParts, nameFolds, nameButtons].forEach((f) => f()), 50));
})();
