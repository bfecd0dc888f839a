// What the invisible marks stand for is put back when a person copies (see markup.py).
(() => {
  const clean = (text) =>
    text
      .replace(/\u2064[^\u2064]*\u2064\n?/g, "")
      .replace(/(&lt;|\\<)\u2063/g, "<")
      .replace(/\u2063\[/g, "![")
      .replace(/\u2063/g, "")
      .trim();
  const clipboard = navigator.clipboard;
  if (clipboard) {
    const write = clipboard.writeText.bind(clipboard);
    clipboard.writeText = (text) => write(clean(text));
  }
})();
