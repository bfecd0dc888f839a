(function () {
  "use strict";
  var root = document;
  function each(selector, act) { Array.prototype.forEach.call(root.querySelectorAll(selector), act); }
  function remember(name, value) { try { window.sessionStorage.setItem("curc-llm:" + name, value); } catch (e) { return; } }
  function recall(name) { try { return window.sessionStorage.getItem("curc-llm:" + name); } catch (e) { return null; } }
  /* The page redraws every card: what was open opens again, and buttons that need this script appear. */
  function restore() {
    each(".curc-llm details[data-llm-keep]", function (box) { if (recall(box.id) === "open") box.open = true; });
    each(".curc-llm [data-llm-copy]", function (button) { button.hidden = false; });
  }
  function tell(button, word) {
    button.textContent = word;
    setTimeout(function () { if (button.isConnected) button.textContent = "Copy"; }, 1500);
  }
  /* Pages without https may not write the clipboard: then the old way, through a field that is selected. */
  function copyOldWay(text) {
    var field = root.createElement("textarea"), before = root.activeElement;
    field.value = text;
    field.setAttribute("readonly", "");
    field.className = "visually-hidden";
    root.body.appendChild(field);
    field.select();
    var done = false;
    try { done = root.execCommand("copy"); } catch (e) { done = false; }
    field.remove();
    if (before && before.focus) before.focus();
    return done;
  }
  function copy(button) {
    var from = root.getElementById(button.getAttribute("data-llm-copy"));
    if (!from) return;
    var text = from.value === undefined ? from.textContent : from.value;
    var old = function () { tell(button, copyOldWay(text) ? "Copied" : "Select it"); };
    if (!window.isSecureContext || !navigator.clipboard) { old(); return; }
    navigator.clipboard.writeText(text).then(function () { tell(button, "Copied"); }, old);
  }
  if (!window.curcLlmCard) {
    window.curcLlmCard = true;
    root.addEventListener("click", function (event) {
      var button = event.target.closest && event.target.closest("[data-llm-copy]");
      if (button) copy(button);
    });
    root.addEventListener("toggle", function (event) {
      var box = event.target;
      if (box.matches && box.matches(".curc-llm details[data-llm-keep]") && box.isConnected) remember(box.id, box.open ? "open" : "");
    }, true);
  }
  restore();
})();
