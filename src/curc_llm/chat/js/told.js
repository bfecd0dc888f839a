// What a person is told at once, such as why a message wasn't sent. It is text, never markup.
(() => {
  "use strict";
  const STAYS_MS = 12_000;
  const MOST = 3;

  const make = (name, className, text) => Object.assign(document.createElement(name), { className, textContent: text });

  // Between the conversation and what is attached, where it takes room instead of covering what is there.
  const find = () => {
    const there = document.getElementById("curc-told");
    if (there) return there;
    const box = make("div", "", "");
    box.id = "curc-told";
    const below = document.getElementById("curc-chips");
    if (below) below.before(box);
    else document.body.append(box);
    return box;
  };

  // A refusal is over once something was sent, or another chat is open.
  curc.hush = () => document.querySelectorAll("#curc-told .curc-told-bad").forEach((notice) => notice.remove());
  curc.tell = (title, text, bad) => {
    const notice = make("div", bad ? "curc-told curc-told-bad" : "curc-told", "");
    notice.setAttribute("role", bad ? "alert" : "status");
    const close = make("button", "", "×");
    close.type = "button";
    close.ariaLabel = "Close the notice";
    close.addEventListener("click", () => notice.remove());
    notice.append(make("strong", "", title), make("p", "", text), close);
    const box = find();
    for (const old of [...box.children]) if (old.textContent === notice.textContent) old.remove();
    box.append(notice);
    while (box.children.length > MOST) box.firstElementChild.remove();
    notice.scrollIntoView({ block: "nearest" });
    setTimeout(() => notice.remove(), STAYS_MS);
  };
})();
