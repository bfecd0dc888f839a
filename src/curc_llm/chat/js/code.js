// The conversation as code, to copy: the server writes it (code_sample.py), this shows it as text.
(() => {
  "use strict";
  const make = (name, className, text = "") => {
    const element = document.createElement(name);
    element.className = className;
    element.textContent = text;
    return element;
  };
  const makeButton = (className, text, onClick) => {
    const button = make("button", className, text);
    button.type = "button";
    button.addEventListener("click", onClick);
    return button;
  };

  const makeTabs = (samples, code) => {
    const tabs = make("div", "curc-code-tabs");
    tabs.setAttribute("role", "tablist");
    tabs.ariaLabel = "Language";
    const buttons = samples.map(([name, text]) => {
      const tab = makeButton("", name, () => {
        code.textContent = text;
        for (const other of buttons) {
          other.ariaSelected = String(other === tab);
          other.tabIndex = other === tab ? 0 : -1;
        }
      });
      tab.setAttribute("role", "tab");
      return tab;
    });
    tabs.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = buttons.at((buttons.indexOf(document.activeElement) + step) % buttons.length);
      next.focus();
      next.click();
    });
    tabs.append(...buttons);
    buttons[0].click();
    return tabs;
  };

  curc.showCode = ({ samples, note }) => {
    document.getElementById("curc-dialog")?.remove(); // Gradio may send a click twice
    const dialog = make("dialog", "curc-wide");
    dialog.id = "curc-dialog";
    const title = make("strong", "", "This conversation as code");
    title.id = "curc-dialog-title";
    dialog.setAttribute("aria-labelledby", title.id);
    const code = make("pre", "curc-code");
    code.tabIndex = 0;
    code.setAttribute("role", "tabpanel");
    code.ariaLabel = "Code";
    const end = () => {
      dialog.close();
      dialog.remove();
      document.querySelector('[data-curc-do="code"]')?.focus(); // the one that was clicked may have been drawn anew
    };
    const copy = makeButton("curc-main", "Copy", async () => {
      if (!(await curc.copy(code.textContent))) return;
      copy.textContent = "Copied";
      setTimeout(() => (copy.textContent = "Copy"), 1500);
    });
    dialog.addEventListener("cancel", end);
    const row = make("div", "curc-dialog-row");
    row.append(makeButton("", "Close", end), copy);
    dialog.append(title, makeTabs(samples, code), code, make("p", "curc-none", note), row);
    document.body.append(dialog);
    dialog.showModal();
  };
})();
