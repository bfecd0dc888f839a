// The session's side: copy, the key (asked of the gateway when a person wants to see it), and a word when it is ready.
(() => {
  "use strict";
  // The gateway is one above the chat's page, whatever stands before it.
  const gateway = (path) => new URL(`../${path}`, location.href.replace(/[?#].*$/, "")).href;
  const key = async () => {
    const reply = await fetch(gateway("key"), { method: "POST" });
    const body = await reply.json().catch(() => ({}));
    return body.key ?? "";
  };
  const say = (button, words) => {
    const before = button.textContent;
    button.textContent = words;
    setTimeout(() => (button.textContent = before), 1500);
  };
  let shown = "";
  const draw = () => {
    const element = document.getElementById("curc-key");
    if (element && shown && element.textContent !== shown) {
      element.textContent = shown;
      document.querySelector('[data-curc-act="key"]').textContent = "Hide";
    }
  };
  curc.onChange.push(draw);

  // A notice that was closed stays away, however often the session's state is drawn anew.
  const closed = new Set();
  const hideClosed = () => {
    const banner = document.querySelector("#curc-notice .curc-banner[data-curc-closes]");
    if (banner) banner.hidden = closed.has(banner.dataset.curcCloses);
  };
  curc.onChange.push(hideClosed);

  const acts = {
    copy: async (button) => {
      if (await curc.copy(button.dataset.curcValue)) say(button, "Copied");
    },
    key: async (button) => {
      shown = shown ? "" : await key();
      if (shown) draw();
      else {
        document.getElementById("curc-key").textContent = "hidden";
        button.textContent = "Show";
      }
    },
    "copy-key": async (button) => {
      if (await curc.copy(await key())) say(button, "Copied");
    },
    // To the page of the session that has taken over; the link opens it once, so it is made only now.
    move: async (button) => {
      const reply = await fetch(gateway("successor"), { method: "POST" }).catch(() => null);
      const body = (await reply?.json().catch(() => null)) ?? {};
      const next = button.dataset.curcValue;
      // This page may be open longer than its session lives: what it has learnt before the end still leads on.
      if (!body.link && !body.error?.message) {
        const ways = `In the portal this session's card opens it; elsewhere: curc-llm tunnel ${next}`;
        curc.tell(`This session doesn't answer; it goes on as ${next}`, ways, true);
        return;
      }
      if (!body.link) {
        curc.tell("The other page can't be opened", body.error.message, true);
        return;
      }
      const target = new URL(body.link, location.href);
      const isTunnel = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname) && target.host !== location.host;
      if (!isTunnel) location.assign(target);
      else curc.tell("You are here through a tunnel", `On your computer run: curc-llm tunnel ${body.session_id}`, true);
    },
    notify: async (button) => {
      const allowed = window.Notification && (await Notification.requestPermission()) === "granted";
      curc.tells = allowed;
      say(button, allowed ? "You will be told while this page is open" : "Your browser doesn't allow it");
    },
    "close-banner": (button) => {
      closed.add(button.closest(".curc-banner").dataset.curcCloses);
      hideClosed();
      document.querySelector("#curc-message textarea")?.focus();
    },
    "copy-chat": (button) => curc.copyChat(button),
    path: () => curc.askPath(),
    "save-prompt": async () => {
      const text = document.querySelector("#curc-set-system-prompt textarea")?.value ?? "";
      if (!text.trim()) {
        curc.tell("Nothing to save", "Write a system prompt first, then save it under a name.", true);
        return;
      }
      const name = await curc.ask("Name of this prompt (one of the same name is replaced)", "");
      if (name?.trim()) curc.send("prompt-save", text, name);
    },
    upload: () => document.querySelector("#curc-composer input[type=file]").click(),
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-curc-act]");
    if (button?.closest("#curc-session, #curc-notice, #curc-composer, #curc-dialog, #curc-prompts, #curc-copy-slot")) {
      button.closest("details.curc-menu")?.removeAttribute("open");
      acts[button.dataset.curcAct]?.(button);
    }
  });

  // The model isn't the one that the settings are of: it was loaded, or another one was.
  let askedFor = "";
  curc.onChange.push(() => {
    const header = document.querySelector("#curc-title .curc-header");
    const name = header?.dataset.curcNew ? header.textContent : "";
    // A chat that is being opened says which model it goes on with: until then, none is chosen for it.
    if (name && curc.awaitsChat()) return;
    if (name && name !== askedFor) document.getElementById("curc-look-again")?.click();
    askedFor = name;
  });

  // Told once, when the model gets ready while somebody waits for it.
  let wasReady = true;
  curc.onChange.push(() => {
    const dot = document.querySelector("#curc-title .curc-dot");
    if (!dot) return;
    const isReady = dot.classList.contains("curc-well");
    if (isReady && !wasReady && curc.tells && document.hidden) {
      const name = document.querySelector("#curc-title h1")?.textContent;
      new Notification("The model is ready", { body: name, tag: "curc-llm" });
    }
    wasReady = isReady;
  });
})();
