// Follows a growing answer to its end, unless the person reads back. Gradio's own way reads the conversation's height
// three times an update, and each time all of it is laid out anew: in a long answer that takes 0.4 s.
(() => {
  "use strict";
  const NEAR_PX = 80;
  let box = null;
  let last = 0;
  let follows = true;
  let questions = 0;
  let isOwn = false;

  const isNear = () => box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
  const look = () => {
    // What this script did itself needs no look, for which the page would be laid out once more.
    const isDone = follows && isOwn;
    isOwn = false;
    if (isDone) return;
    // Shorter content takes it up as well; only a person goes up and away from the end.
    follows = isNear() || (follows && box.scrollTop >= last - 2);
    last = box.scrollTop;
  };
  // Told after the layout of each frame, when the height costs nothing.
  const grown = new ResizeObserver(() => {
    if (!follows || !box?.querySelector(".message-row")) return; // an empty page is read from its beginning
    const before = box.scrollTop;
    if (before < last - 2 && !isNear()) {
      follows = false; // somebody went up between two looks
      return;
    }
    box.scrollTop = box.scrollHeight;
    last = box.scrollTop;
    isOwn = last !== before;
  });

  curc.onChange.push(() => {
    const found = document.querySelector("#curc-chat .bubble-wrap");
    if (found && found !== box) {
      box = found;
      follows = true;
      grown.disconnect();
      grown.observe(box);
      box.addEventListener("scroll", look, { passive: true });
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
    }
    questions = asked;
  });
})();
