// Does what the server asks of the page, once each: acts.py writes it into an element.
(() => {
  "use strict";
  const done = new Map();
  let home = "curc-llm";
  let count = 0;
  let missing = "";

  const act = {
    chat: ({ id, title: name, rows }) => {
      if (id !== curc.chat || rows.length > count) curc.hush();
      count = rows.length;
      if (id !== curc.chat) curc.showMistakes({}); // its settings are those of a chat that was sent
      curc.chat = id;
      const current = document.querySelector("#curc-current textarea, #curc-current input");
      if (current && current.value !== id) curc.fill(current, id);
      const hash = id ? `#chat=${id}` : "";
      if (location.hash !== hash) history.replaceState(history.state, "", hash || location.pathname + location.search);
      curc.title = name;
      document.documentElement.classList.toggle("curc-has-chat", rows.length > 0);
      curc.setRows(rows);
    },
    gone: ({ id }) => {
      missing = id;
    },
    download: ({ name, text }) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    },
    paths: (found) => curc.showPaths(found),
    path: (outcome) => curc.endPath(outcome),
    code: (samples) => curc.showCode(samples),
    other: ({ heads }) => {
      ["curc-chat", "curc-other"].forEach((id, i) => (document.getElementById(id).dataset.curcHead = heads[i]));
      document.getElementById("curc-ask-other")?.click();
    },
    swap: (found) => curc.showSwap(found),
    swapped: (outcome) => curc.endSwap(outcome),
    copied: ({ text }) => curc.takeCopy(text),
    edit: (answer) => curc.showAnswer(answer),
    edited: (outcome) => curc.endEdit(outcome),
    mistakes: ({ fields }) => curc.showMistakes(fields),
    tell: ({ title: about, text, bad }) => curc.tell(about, text, bad),
    back: ({ text }) => {
      const box = document.querySelector("#curc-message textarea");
      if (box && !box.value) curc.fill(box, text);
    },
    reveal: () => curc.reveal(),
    focus: () => document.querySelector("#curc-message textarea")?.focus(),
  };

  curc.onChange.push(() => {
    for (const slot of ["curc-acts", "curc-told-slot", "curc-mistakes-slot"]) {
      const element = document.querySelector(`#${slot} .curc-acts`);
      const number = Number(element?.dataset.curcNumber);
      // One that was made before the last one comes too late.
      if (!number || number <= (done.get(slot) ?? 0)) continue;
      done.set(slot, number);
      for (const one of JSON.parse(element.dataset.curcActs)) act[one.act]?.(one);
    }
  });

  // The tab says what is open, and how the model is, or that an answer is being written.
  let written = "";
  curc.onChange.push(() => {
    const isLost = document.documentElement.classList.contains("curc-is-lost");
    const state = isLost ? "No connection" : document.querySelector("#curc-title .curc-header")?.dataset.curcState;
    const busy = curc.isAnswering() ? "… " : "";
    if (document.title && document.title !== written && curc.title === undefined) home = document.title;
    const text = `${state ? `${state} · ` : busy}${curc.title || home}`;
    if (document.title === text || (curc.title === undefined && text === home)) return;
    document.title = written = text;
  });

  // A reload opens the same chat again; so does a link to it. Gradio listens a while after it drew the page: until
  // it answers, it is told again.
  const TRIES = 40;
  const findAwaited = () => {
    const id = /^#chat=([\w-]+)$/.exec(location.hash)?.[1] ?? "";
    return id === curc.chat || id === missing ? "" : id;
  };
  curc.awaitsChat = () => Boolean(findAwaited());
  const open = (tries) => {
    const id = findAwaited();
    if (!tries) missing = id;
    if (!id || !tries) return;
    if (curc.isDrawn()) curc.send("open", id);
    setTimeout(open, 500, tries - 1);
  };
  addEventListener("hashchange", () => {
    missing = "";
    open(TRIES);
  });
  open(TRIES);
})();
