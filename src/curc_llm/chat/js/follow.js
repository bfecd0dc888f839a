// Follows a growing answer to its end, unless the person reads back. Gradio's own way reads the conversation's height
// three times an update, and each time all of it is laid out anew: in a long answer that takes 0.4 s.
(() => {
  "use strict";
  const NEAR_PX = 80;
  // So long after a wheel, a touch or a key the page may still be going where a person sent it.
  const HAND_MS = 5000;
  // Nothing of ours that comes and goes is as high. What goes further is somebody, such as the browser's own search.
  const SHRUNK_PX = 400;
  let box = null;
  let last = 0;
  let follows = true;
  let questions = 0;
  let isOwn = false;
  let movedAt = -Infinity;

  // It also goes up by itself, a little: what got shorter (or left more room) grew again before anybody looked.
  const isUp = () => box.scrollTop < last - (performance.now() - movedAt < HAND_MS ? 2 : SHRUNK_PX);
  const isNear = () => box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
  const look = () => {
    // What this script did itself needs no look, for which the page would be laid out once more.
    const isDone = follows && isOwn;
    isOwn = false;
    if (isDone) return;
    // Shorter content takes it up as well; only a person goes up and away from the end.
    follows = isNear() || (follows && !isUp());
    last = box.scrollTop;
  };
  // Told after the layout of each frame, when the height costs nothing.
  const grown = new ResizeObserver(() => {
    if (!follows || !box?.querySelector(".message-row")) return; // an empty page is read from its beginning
    const before = box.scrollTop;
    if (isUp() && !isNear()) {
      follows = false; // somebody went up between two looks
      return;
    }
    box.scrollTop = box.scrollHeight;
    last = box.scrollTop;
    isOwn = last !== before;
  });

  const moved = () => (movedAt = performance.now());
  const KEYS = ["ArrowUp", "PageUp", "Home"];
  document.addEventListener("keydown", (event) => {
    if (KEYS.includes(event.key) && !event.target.closest?.("textarea, input")) moved();
  });

  curc.onChange.push(() => {
    const found = document.querySelector("#curc-chat .bubble-wrap");
    if (found && found !== box) {
      box = found;
      follows = true;
      grown.disconnect();
      grown.observe(box);
      box.addEventListener("scroll", look, { passive: true });
      box.addEventListener("wheel", (event) => event.deltaY < 0 && moved(), { passive: true });
      box.addEventListener("touchmove", moved, { passive: true });
      box.addEventListener("pointerdown", (event) => event.target === box && moved()); // its scrollbar
    }
    const content = box?.querySelector(".message-wrap");
    if (content && !content.dataset.curcFollowed) {
      content.dataset.curcFollowed = "yes";
      grown.observe(content);
    }
    // Who asks wants to see the answer; who opens a chat, its end.
    const asked = document.querySelectorAll("#curc-chat .user-row").length;
    if (asked !== questions) {
      follows = true;
      last = 0; // not looked up: the page would be laid out for it
      movedAt = -Infinity;
    }
    questions = asked;
  });
})();
