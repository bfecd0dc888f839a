// Links in the conversation are the model's: others open in a window of their own that knows nothing of this one, and
// one that leads to this server (log out, another chat, a portal's page) leads nowhere.
(() => {
  "use strict";
  const guard = (event) => {
    const link = event.target.closest?.("#curc-chat [data-testid] a[href]");
    if (!link) return;
    if (link.origin === location.origin) {
      event.preventDefault();
      event.stopPropagation();
    } else {
      link.target = "_blank";
      link.rel = "noopener noreferrer";
    }
  };
  for (const name of ["click", "auxclick"]) document.addEventListener(name, guard, true);
})();
