// Files that go with a question: dropped and pasted ones are uploaded as those that were chosen.
(() => {
  "use strict";
  const upload = (files) => {
    const input = document.querySelector("#curc-composer input[type=file]");
    if (!input || !files.length) return false;
    const transfer = new DataTransfer();
    for (const file of files) transfer.items.add(file);
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  };
  // Where a dragged file will go is said all over the page.
  const sign = document.createElement("div");
  sign.id = "curc-drop";
  sign.textContent = "Drop files here to ask about them";
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  // What is too large isn't sent at all. The server has the same limit (attachments/limits.py).
  const refuseLarge = (event) => {
    const input = event.target;
    const most = Number(document.querySelector("[data-curc-most-mib]")?.dataset.curcMostMib);
    if (!most || !input.matches?.("input[type=file]")) return;
    const large = [...input.files].filter((file) => file.size > most * 2 ** 20);
    if (!large.length) return;
    const isChat = Boolean(input.closest("#curc-import"));
    const hasPaths = Boolean(document.querySelector('#curc-attach-slot [data-curc-act="path"]'));
    const part = hasPaths
      ? "Attach it by its path on the cluster (+, File on the cluster), or upload a part of it."
      : "Upload a part of it.";
    const remedy = isChat ? "Export fewer chats into one file." : part;
    for (const file of large) {
      const size = (file.size / 2 ** 20).toFixed(1);
      const words = `${file.name} has ${size} MiB; up to ${most} MiB can be uploaded. ${remedy}`;
      curc.tell(isChat ? "Not imported" : "Not attached", words, true);
    }
    const rest = new DataTransfer();
    for (const file of input.files) if (!large.includes(file)) rest.items.add(file);
    input.files = rest.files;
    if (!rest.files.length) event.stopImmediatePropagation();
  };
  document.addEventListener("change", refuseLarge, true);
  // A browser says nothing when the same file is chosen again, unless the field was emptied.
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (input.matches?.("input[type=file]")) setTimeout(() => (input.value = ""), 500);
  });
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    if (!sign.isConnected) document.body.append(sign);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) sign.remove();
  });
  document.addEventListener("drop", (event) => {
    sign.remove();
    const files = [...(event.dataTransfer?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    event.stopPropagation();
    upload(files);
  }, true);
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length && event.target.matches?.("#curc-message textarea") && upload(files)) event.preventDefault();
  });
})();
