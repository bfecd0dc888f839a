// What a screen reader hears: not each piece of an answer, but that one is being written, and then all of it.
(() => {
  "use strict";
  const MOST_CHARS = 4000;
  // The answer's last update may be drawn after Send is back.
  const DRAWN_MS = 5000;
  let was = false;
  let owedUntil = 0;
  const region = document.createElement("div");
  region.id = "curc-said";
  region.setAttribute("role", "status");

  const say = (words) => {
    if (!region.isConnected) document.querySelector("main")?.append(region);
    region.textContent = words;
  };
  const readLast = () => {
    const message = [...document.querySelectorAll("#curc-chat .bot-row .message-content")].filter(
      (one) => !one.closest(".thought-group"),
    ).at(-1);
    return (message?.innerText ?? "").slice(0, MOST_CHARS);
  };
  const sayLast = () => {
    if (performance.now() > owedUntil) return;
    const text = readLast();
    if (!text.trim()) return;
    owedUntil = 0;
    say(`Answer: ${text}`);
  };
  curc.onChange.push(() => {
    const answering = curc.isAnswering();
    document.documentElement.classList.toggle("curc-answering", answering);
    for (const log of document.querySelectorAll(".bubble-wrap")) {
      if (log.ariaBusy !== String(answering)) log.ariaBusy = String(answering);
      const live = answering ? "off" : "polite";
      if (log.ariaLive !== live) {
        if (answering) log.ariaLive = live;
        // What came last is in the region below; the log speaks up again for what comes after it.
        else setTimeout(() => curc.isAnswering() || (log.ariaLive = "polite"), 1000);
      }
    }
    if (answering !== was) {
      was = answering;
      if (answering) say("The answer is being written.");
      owedUntil = answering ? 0 : performance.now() + DRAWN_MS;
    }
    // After the next frame the page is laid out anyhow, and its text costs nothing.
    if (performance.now() <= owedUntil) requestAnimationFrame(() => setTimeout(sayLast));
  });
})();
