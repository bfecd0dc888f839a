// Copies text, and says so when the browser doesn't let it. Of a whole conversation the server has the text.
(() => {
  "use strict";
  const SHOWN_MS = 1500;
  const WAIT_MS = 8000;

  // Pages without https may not write the clipboard: then the old way, through a field that is selected.
  const copyOldWay = (text) => {
    const field = document.createElement("textarea");
    field.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  };
  const write = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyOldWay(text);
    }
  };
  curc.copy = async (text) => {
    if (await write(text)) return true;
    curc.tell("Not copied", "Your browser doesn't let this page copy. Select the text and copy it yourself.", true);
    return false;
  };

  let take = () => {};
  curc.takeCopy = (text) => take(text);
  curc.copyChat = async (button) => {
    const text = await new Promise((resolve) => {
      take = resolve;
      setTimeout(() => resolve(null), WAIT_MS);
      curc.send("copy", curc.chat ?? "");
    });
    if (text === null) curc.tell("Not copied", "The session doesn't answer. Try it again.", true);
    if (!text || !(await curc.copy(text))) return;
    const name = button.ariaLabel;
    button.classList.add("curc-done");
    button.ariaLabel = button.title = "Copied";
    setTimeout(() => {
      button.classList.remove("curc-done");
      button.ariaLabel = button.title = name;
    }, SHOWN_MS);
  };
})();
