// What every script of the page shares. They run before Gradio does, and in this order. What is in `onChange` is called
// when the page has changed: with the next frame, but while an answer grows only a few times a second.
const curc = { onChange: [] };

(() => {
  "use strict";
  const GROWING_MS = 250;
  let waiting = false;
  let timer = 0;
  let last = 0;
  let wasAnswering = false;

  const look = () => {
    clearTimeout(timer);
    waiting = false;
    timer = 0;
    wasAnswering = curc.isAnswering();
    last = performance.now();
    for (const one of curc.onChange) one();
  };
  const soon = () => {
    if (waiting) return;
    waiting = true;
    // At an answer's end Gradio draws a good deal in this frame: what is ours comes after it.
    requestAnimationFrame(() => (wasAnswering && !curc.isAnswering() ? setTimeout(look) : look()));
  };
  const later = () => {
    if (waiting || timer) return;
    timer = setTimeout(look, Math.max(0, GROWING_MS - (performance.now() - last)));
  };
  const isInAnswer = (record) => {
    const element = record.target.nodeType === Node.ELEMENT_NODE ? record.target : record.target.parentElement;
    return Boolean(element?.closest(".message-content, .thought-group"));
  };
  // Text that comes into an element that is there doesn't count, nor do attributes: names and arrows hang on elements.
  new MutationObserver((records) => (records.every(isInAnswer) ? later() : soon())).observe(document, {
    childList: true,
    subtree: true,
  });
  curc.isAnswering = () => Boolean(document.querySelector("#curc-message .stop-button"));
})();
