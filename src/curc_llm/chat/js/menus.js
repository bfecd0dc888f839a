// Menus: an open one lies above everything, where there is room for it; arrow keys go through it.
(() => {
  "use strict";
  const GAP_PX = 4;

  const place = (menu, items) => {
    const button = menu.querySelector("summary").getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = items;
    const below = innerHeight - button.bottom - GAP_PX;
    const top = below >= height || below >= button.top ? button.bottom + GAP_PX : button.top - GAP_PX - height;
    // From the button's left where that fits, else from its right.
    const left = button.left + width <= innerWidth - GAP_PX ? button.left : button.right - width;
    items.style.top = `${Math.max(GAP_PX, Math.min(top, innerHeight - height - GAP_PX))}px`;
    items.style.left = `${Math.max(GAP_PX, left)}px`;
  };

  // The list of chats is drawn anew after each answer. A menu that a person had open is then open again.
  let opened = null;
  const findChat = (menu) => menu.closest(".curc-item")?.querySelector(".curc-open").dataset.curcValue;
  const focusAgain = (menu) => {
    const place = opened && opened.chat === findChat(menu) ? opened.place : -1;
    opened = { menu, chat: findChat(menu), place };
    if (place >= 0) menu.querySelectorAll("summary, button")[place]?.focus();
  };
  curc.onChange.push(() => {
    if (!opened || opened.menu.isConnected) return;
    const wasOpen = opened.menu.open;
    const menus = [...document.querySelectorAll(".curc-item details.curc-menu")];
    const menu = wasOpen && opened.chat && menus.find((one) => findChat(one) === opened.chat);
    if (menu) menu.open = true;
    opened = menu ? { ...opened, menu } : null;
  });
  document.addEventListener("focusin", (event) => {
    if (opened?.menu.contains(event.target))
      opened.place = [...opened.menu.querySelectorAll("summary, button")].indexOf(event.target);
  });

  document.addEventListener("toggle", (event) => {
    const menu = event.target;
    if (!menu.matches?.("details.curc-menu")) return;
    const items = menu.querySelector(".curc-menu-items");
    if (!items.showPopover) return;
    if (!menu.open) {
      if (opened?.menu === menu) opened = null;
      if (items.matches(":popover-open")) items.hidePopover();
      return;
    }
    items.popover = "manual";
    items.showPopover();
    place(menu, items);
    focusAgain(menu);
  }, true);

  const close = (menu, focus = false) => {
    menu.open = false;
    if (focus) menu.querySelector("summary").focus();
  };
  const openMenus = () => document.querySelectorAll("details.curc-menu[open]");
  document.addEventListener("scroll", (event) => {
    for (const menu of openMenus()) if (event.target.contains?.(menu)) close(menu);
  }, true);
  addEventListener("resize", () => openMenus().forEach((menu) => close(menu)));
  document.addEventListener("focusin", (event) => {
    for (const menu of openMenus()) if (!menu.contains(event.target)) close(menu);
  });

  document.addEventListener("keydown", (event) => {
    const menu = event.target.closest?.("details.curc-menu");
    if (!menu || !["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return;
    event.preventDefault();
    menu.open = true;
    const buttons = [...menu.querySelectorAll(".curc-menu-items button")];
    const now = buttons.indexOf(document.activeElement);
    const last = buttons.length - 1;
    const next = { ArrowDown: now + 1, ArrowUp: now < 0 ? last : now - 1, Home: 0, End: last }[event.key];
    // The menu is drawn with the next frame.
    setTimeout(() => buttons[(next + buttons.length) % buttons.length].focus(), menu.open && now >= 0 ? 0 : 30);
  });
})();
