// The page's frame: sidebars that make way on narrow screens, light and dark as the system has it.
(() => {
  "use strict";
  const narrow = matchMedia("(max-width: 960px)");
  const toggle = (id) => document.querySelector(`#${id} > .toggle-button`);
  const isOpen = (id) => Boolean(document.querySelector(`#${id}.open`));
  const SIDES = ["curc-shelf", "curc-settings"];

  // The list of chats is open at first; where it would cover the conversation, it is closed before anybody sees it.
  let settled = false;
  let madeWay = [];
  const makeWay = () => {
    madeWay = SIDES.filter(isOpen);
    closeAll();
  };
  const settle = () => {
    if (settled || !toggle("curc-shelf")) return;
    settled = true;
    if (narrow.matches) makeWay();
    setTimeout(() => document.documentElement.classList.add("curc-settled"), 60);
  };
  curc.onChange.push(settle);

  const closeAll = () => {
    const open = SIDES.filter(isOpen);
    for (const id of open) toggle(id).click();
    return open.length > 0;
  };
  narrow.addEventListener("change", () => {
    if (narrow.matches) {
      makeWay();
      return;
    }
    // There is room again: what made way for the conversation is back.
    for (const id of madeWay) if (!isOpen(id)) toggle(id).click();
    madeWay = [];
  });
  // Over the conversation, a sidebar goes away with a click beside it or with Esc.
  document.addEventListener("pointerdown", (event) => {
    if (!narrow.matches || event.target.closest(".sidebar, dialog, [popover], .toast-wrap")) return;
    const swallow = (click) => [click.preventDefault(), click.stopPropagation()];
    if (!closeAll()) return;
    // What lies below isn't meant.
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }), 400);
  });
  curc.closeOverlay = () => {
    const id = narrow.matches && SIDES.find(isOpen);
    if (!id) return false;
    toggle(id).click();
    toggle(id).focus();
    return true;
  };
  // A chat that was opened is what a person wants to see now.
  curc.reveal = () => narrow.matches && closeAll();
  document.addEventListener("click", (event) => {
    if (narrow.matches && event.target.closest('#curc-shelf [data-curc-do="open"], #curc-shelf [data-curc-do="new"]'))
      closeAll();
  });

  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", () => document.body.classList.toggle("dark", dark.matches));
})();
