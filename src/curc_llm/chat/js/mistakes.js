// Marks fields of the settings that hold what can't be; the server says which, and why, when a person leaves one.
(() => {
  "use strict";
  const clear = (block) => {
    block.querySelector(".curc-mistake")?.remove();
    const field = block.querySelector("[aria-invalid]");
    field?.removeAttribute("aria-invalid");
    const help = block.querySelector(".info-text");
    if (help) field?.setAttribute("aria-describedby", help.id);
    else field?.removeAttribute("aria-describedby");
  };
  const mark = (name, sentence) => {
    const block = document.getElementById(`curc-set-${name.replaceAll("_", "-")}`);
    const field = block?.querySelector("input, textarea");
    // Who mends it isn't told off meanwhile.
    if (!field || field === document.activeElement) return;
    const words = document.createElement("p");
    words.className = "curc-mistake";
    words.id = `${block.id}-mistake`;
    words.setAttribute("role", "alert");
    words.textContent = sentence;
    block.append(words);
    field.ariaInvalid = "true";
    field.setAttribute("aria-describedby", words.id);
  };

  const blocks = () => [...document.querySelectorAll(".curc-mistake")].map((one) => one.parentElement);
  curc.showMistakes = (fields) => {
    blocks().forEach(clear);
    for (const [name, sentence] of Object.entries(fields)) mark(name, sentence);
  };
  document.addEventListener("input", (event) => {
    const block = blocks().find((one) => one.contains(event.target));
    if (block) clear(block);
  });
})();
