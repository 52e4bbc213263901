"use strict";
// The search of the book. Its index is a script, loaded when the box is first used: a page that lies in a file may not read another file.
(() => {
  const MOST = 12;
  const KINDS = { lesson: ["lesson", 6], claims: ["claim", 3], docs: ["docs", 4], reference: ["reference", 2], cite: ["cite", 1], map: ["map", 1] };
  const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  let entries = null;
  // What is to be done when the index is there.
  const waiting = [];

  const ready = () => {
    const { pages, pieces } = window.gradscapeIndex;
    entries = pieces.map(([number, anchor, title, text], position) => {
      const [kind, file, page] = pages[number];
      return { kind, address: file + (anchor ? `#${anchor}` : ""), title: title || page, page, text, head: folded(`${title} ${page} ${anchor}`), body: folded(text), first: !position || pieces[position - 1][0] !== number };
    });
  };
  const load = (then) => {
    if (entries) { then(); return; }
    waiting.push(then);
    if (waiting.length > 1) return;
    const script = document.createElement("script");
    script.src = "assets/search-index.js";
    script.addEventListener("load", () => { ready(); for (const each of waiting.splice(0)) each(); });
    script.addEventListener("error", () => { waiting.length = 0; document.getElementById("told").textContent = "The index of the search is missing."; });
    document.head.append(script);
  };

  // Every word must occur; a title counts more than text, the beginning of a word more than its middle, the beginning of a page more.
  const worth = (entry, words) => {
    let sum = KINDS[entry.kind][1];
    for (const word of words) {
      const head = entry.head.indexOf(word);
      const body = entry.body.indexOf(word);
      if (head < 0 && body < 0) return 0;
      if (head >= 0) sum += /[\p{L}\p{N}]/u.test(entry.head[head - 1] || " ") ? 8 : 20;
      if (body >= 0) sum += /[\p{L}\p{N}]/u.test(entry.body[body - 1] || " ") ? 1 : 4;
    }
    if (entry.first) sum += 12;
    if (folded(entry.title) === words.join(" ")) sum += 40;
    return sum;
  };
  const search = (query) => {
    const words = folded(query).split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const scored = entries.map((entry) => [worth(entry, words), entry]).filter(([sum]) => sum > 0);
    scored.sort((a, b) => b[0] - a[0]);
    return scored.map(([, entry]) => ({ ...entry, words }));
  };
  const excerpt = (entry) => {
    const at = Math.max(0, ...entry.words.map((word) => entry.text.toLowerCase().indexOf(word)));
    const from = at < 60 ? 0 : entry.text.indexOf(" ", at - 50) + 1;
    return (from ? "… " : "") + entry.text.slice(from, from + 130);
  };

  document.addEventListener("DOMContentLoaded", () => {
    const box = document.getElementById("search");
    const list = document.getElementById("found");
    const told = document.getElementById("told");
    if (!box) return;
    box.closest(".search").hidden = false;
    let chosen = -1;
    const shut = () => { list.hidden = true; chosen = -1; box.setAttribute("aria-expanded", "false"); box.removeAttribute("aria-activedescendant"); };
    const choose = (next) => {
      const options = [...list.children];
      if (!options.length) return;
      chosen = (next + options.length) % options.length;
      options.forEach((option, number) => option.setAttribute("aria-selected", String(number === chosen)));
      options[chosen].scrollIntoView({ block: "nearest" });
      box.setAttribute("aria-activedescendant", options[chosen].id);
    };
    const open = (option, apart) => {
      if (apart) window.open(option.dataset.address);
      else { shut(); window.location.href = option.dataset.address; }
    };
    const show = () => {
      if (!entries) { load(show); return; }
      const found = search(box.value);
      const option = (entry, number) => {
        const item = document.createElement("li");
        const kind = document.createElement("span");
        const title = document.createElement("b");
        const text = document.createElement("small");
        [kind.className, kind.textContent] = ["kind", KINDS[entry.kind][0]];
        title.textContent = entry.title;
        text.textContent = (entry.title === entry.page ? "" : `${entry.page}. `) + excerpt(entry);
        item.append(title, " ", kind, " ", text);
        item.id = `found-${number}`;
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", "false");
        item.dataset.address = entry.address;
        return item;
      };
      list.replaceChildren(...found.slice(0, MOST).map(option));
      shut();
      list.hidden = found.length === 0;
      box.setAttribute("aria-expanded", String(found.length > 0));
      const many = found.length === 1 ? "1 place found" : `${found.length} places found`;
      told.textContent = !box.value.trim() ? "" : found.length > MOST ? `${many}, the best ${MOST} are shown` : many;
      box.dataset.found = String(found.length);
    };
    box.addEventListener("focus", () => load(() => {}));
    box.addEventListener("input", show);
    box.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") { event.preventDefault(); if (list.hidden) show(); choose(chosen + 1); }
      else if (event.key === "ArrowUp") { event.preventDefault(); choose(chosen - 1); }
      else if (event.key === "Enter" && list.children.length) { event.preventDefault(); open(list.children[Math.max(0, chosen)], event.ctrlKey || event.metaKey); }
      else if (event.key === "Escape") { if (!list.hidden) event.preventDefault(); shut(); }
    });
    list.addEventListener("mousedown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => { const option = event.target.closest("li"); if (option) open(option, event.ctrlKey || event.metaKey); });
    box.addEventListener("blur", shut);
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
      event.preventDefault();
      box.focus();
    });

    // BibTeX can be copied by a button; without a clipboard it is selected instead.
    for (const place of document.querySelectorAll(".copied")) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      const section = place.closest("section");
      button.setAttribute("aria-label", `Copy BibTeX of ${(section ? section.querySelector("h3") : document.querySelector("h2")).textContent}`);
      button.addEventListener("click", () => {
        const text = place.querySelector("pre");
        const select = () => window.getSelection().selectAllChildren(text);
        if (!navigator.clipboard) { select(); return; }
        navigator.clipboard.writeText(text.textContent).then(() => { button.textContent = "Copied"; }, select);
      });
      place.prepend(button);
    }
  });
})();
