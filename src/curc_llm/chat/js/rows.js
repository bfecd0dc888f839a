// What stands at each message besides its text: arrows to its other versions, two thumbs, a pencil, the files that went
// with it.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const THUMB = "M7 10.5v10H3.5v-10zM7 11l4-7.5c1.6 0 2.5 1.1 2.2 2.7L12.6 9H18a2.5 2.5 0 0 1 2.5 2.9l-1 6A3 3 0 0 1 16.5 20.5H7";

  const PENCIL = "M4 20l1-4.5L16.5 4a2 2 0 0 1 3 0l.5.5a2 2 0 0 1 0 3L8.5 19z M14.5 6l3.5 3.5";

  let known = [];

  const arrow = (text, label, target) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.ariaLabel = button.title = label;
    button.disabled = !target;
    button.addEventListener("click", () => curc.send("show", target));
    return button;
  };
  const drawVersions = (box, [number, count, before, after]) => {
    const words = document.createElement("span");
    words.textContent = `${number}/${count}`;
    words.title = `Version ${number} of ${count}`;
    box.append(arrow("‹", "Version before", before), words, arrow("›", "Next version", after));
  };

  const makeIcon = (lines, isTurned = false) => {
    const image = document.createElementNS(SVG, "svg");
    image.setAttribute("viewBox", "0 0 24 24");
    image.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", lines);
    if (isTurned) path.setAttribute("transform", "rotate(180 12 12)");
    image.append(path);
    return image;
  };
  const drawPencil = (box, id) => {
    const button = document.createElement("button");
    button.type = "button";
    button.ariaLabel = button.title = "Edit answer";
    button.append(makeIcon(PENCIL));
    button.addEventListener("click", () => curc.editAnswer(id));
    box.append(button);
  };
  const press = (box, rating) => {
    for (const button of box?.children ?? []) {
      const pressed = String(button.title === rating);
      if (button.ariaPressed !== pressed) button.ariaPressed = pressed;
    }
  };
  const drawRatings = (box, id) => {
    for (const name of ["Like", "Dislike"]) {
      const button = document.createElement("button");
      button.type = "button";
      button.ariaLabel = button.title = name;
      button.append(makeIcon(THUMB, name === "Dislike"));
      button.addEventListener("click", () => {
        const row = known.find((one) => one.id === id);
        if (!row) return;
        row.rating = row.rating === name ? undefined : name;
        press(box, row.rating);
        curc.send("rate", `${curc.chat} ${id}`, row.rating ?? "");
      });
      box.append(button);
    }
  };

  // Draws a part of a row anew when what it shows has changed; what is there keeps the focus.
  const put = (place, name, className, content, draw) => {
    const old = place.querySelector(`.${className}`);
    const key = JSON.stringify(content ?? null);
    if ((old?.dataset.key ?? "null") === key) return;
    old?.remove();
    if (!content) return;
    const box = document.createElement(name);
    box.className = className;
    box.dataset.key = key;
    draw(box, content);
    return box;
  };

  const drawButtons = (row, message) => {
    const place = row.nextElementSibling?.querySelector(".icon-button-wrapper");
    if (!place) return;
    const rated = message?.role === "assistant" ? message.id : undefined;
    const boxes = [
      put(place, "span", "curc-pencil", rated, drawPencil),
      put(place, "span", "curc-ratings", rated, drawRatings),
      put(place, "span", "curc-versions", message?.version, drawVersions),
    ];
    place.append(...boxes.filter(Boolean));
    press(place.querySelector(".curc-ratings"), message?.rating);
  };

  // What was attached to a question stands above it. Names are text, never markup.
  const drawFiles = (list, files) => {
    list.ariaLabel = "Attached files";
    for (const [name, kind, tokens] of files) {
      const item = document.createElement("li");
      const shown = document.createElement("bdi");
      shown.textContent = item.title = name;
      item.append(shown, ` ${kind}, about ${tokens.toLocaleString("en")} tokens`);
      list.append(item);
    }
  };
  const drawFilesOf = (row, message) => {
    const files = message?.attachments?.length ? message.attachments : undefined;
    const list = put(row, "ul", "curc-files", files, drawFiles);
    if (list) (row.querySelector(".flex-wrap") ?? row).prepend(list);
  };

  // Gradio shows neighbours of one role as one: two questions, when the first one got no answer.
  const join = (groups, row) => {
    const last = groups.at(-1);
    if (last?.role !== row.role) return [...groups, row];
    const attachments = [...(last.attachments ?? []), ...(row.attachments ?? [])];
    return [...groups.slice(0, -1), { ...last, ...row, attachments }];
  };

  curc.setRows = (rows) => {
    known = rows.reduce(join, []);
    curc.drawRows();
  };
  curc.drawRows = () => {
    document.querySelectorAll("#curc-chat .message-row").forEach((row, index) => {
      drawButtons(row, known[index]);
      drawFilesOf(row, known[index]);
    });
  };
  curc.onChange.push(curc.drawRows);
})();
