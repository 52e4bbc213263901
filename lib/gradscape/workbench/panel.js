// Draws an explorer's controls, its notes, and a prediction's radio buttons. All logic is in Python: see panel.py.
let count = 0;

function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function watch(model, name, act) {
  model.on(`change:${name}`, act);
  return () => model.off(`change:${name}`, act);
}

// Moves of one control replace each other while Python is busy. Buttons are sent at once, but never overtake a move: what
// waits is sent before Run, and dropped before a preset or Reset, which set every control.
function courier(model, delay) {
  const waiting = new Map();
  let busy = false, timer = null;
  const next = () => {
    if (busy || timer !== null || waiting.size === 0) return;
    const [name, message] = waiting.entries().next().value;
    waiting.delete(name);
    busy = true;
    model.send(message);
  };
  const stop = watch(model, "ack", () => { busy = false; next(); });
  return {
    stop, waits: (name) => waiting.has(name),
    now: (message) => {
      if (["run", "preset", "reset"].includes(message.kind)) {
        clearTimeout(timer);
        timer = null;
        if (message.kind === "run") waiting.forEach((move) => model.send(move));
        waiting.clear();
      }
      model.send(message);
    },
    move: (name, message) => {
      waiting.set(name, message);
      clearTimeout(timer);
      timer = setTimeout(() => { timer = null; next(); }, delay);
    },
  };
}

function controlRow(control, post, id) {
  const name = control.symbol ? `${control.symbol}, ${control.about || control.name}` : control.about || control.name;
  const label = node("label", { class: "gs-label", for: id, title: control.about || control.name },
    node("b", {}, control.symbol || control.name), control.about ? ` ${control.about}` : "");
  const error = node("div", { class: "gs-error", id: `${id}-error`, "aria-live": "polite" });
  const row = node("div", { class: "gs-control", "data-name": control.name });
  let show;
  if (control.kind === "choice") {
    const select = node("select", { id, "aria-label": name, "aria-describedby": error.id,
      onchange: () => post.move(control.name, { kind: "move", name: control.name, position: select.selectedIndex }) },
      ...control.stops.map((text) => node("option", {}, text)));
    row.append(label, select, error);
    show = (position) => { select.selectedIndex = position; };
  } else if (control.kind === "switch") {
    const box = node("input", { type: "checkbox", id, "aria-label": name,
      onchange: () => post.move(control.name, { kind: "move", name: control.name, position: box.checked ? 1 : 0 }) });
    row.classList.add("gs-switch");
    row.append(box, label, error);
    show = (position) => { box.checked = position === 1; };
  } else {
    const text = node("input", { type: "text", class: "gs-value", "aria-label": `${name}: value`, inputmode: "decimal",
      "aria-describedby": error.id, autocomplete: "off", spellcheck: "false", title: control.allowed });
    const slider = node("input", { type: "range", id, min: 0, max: control.stops.length - 1, step: 1, "aria-label": name,
      oninput: () => {
        text.value = control.stops[slider.valueAsNumber];
        slider.setAttribute("aria-valuetext", text.value);
        post.move(control.name, { kind: "move", name: control.name, position: slider.valueAsNumber });
      } });
    text.addEventListener("change", () => post.move(control.name, { kind: "type", name: control.name, text: text.value }));
    text.addEventListener("keydown", (event) => { if (event.key === "Enter") text.blur(); });
    row.append(label, slider, text, error);
    show = (position, shown, wrong) => {
      slider.value = position;
      slider.setAttribute("aria-valuetext", shown);
      if (!wrong && document.activeElement !== text) text.value = shown;
      else if (!wrong && text.dataset.shown !== shown) text.value = shown;
      text.dataset.shown = shown;
      text.setAttribute("aria-invalid", wrong ? "true" : "false");
    };
  }
  return { row, show, error };
}

function controls({ model, el }) {
  const spec = model.get("spec"), base = `gs-${++count}`;
  const post = courier(model, spec.mode === "quick" ? 150 : 0);
  const rows = new Map(spec.controls.map((control, k) => [control.name, controlRow(control, post, `${base}-${k}`)]));
  const presets = spec.presets.map((name) => node("button", { type: "button", class: "gs-button", "data-preset": name,
    onclick: () => post.now({ kind: "preset", name }) }, name));
  const reset = node("button", { type: "button", class: "gs-button", title: "back to the notebook's parameters",
    onclick: () => post.now({ kind: "reset" }) }, "Reset");
  const run = node("button", { type: "button", class: "gs-button gs-run", onclick: () => post.now({ kind: "run" }) }, "Run");
  const cancel = node("button", { type: "button", class: "gs-button", onclick: () => post.now({ kind: "cancel" }) }, "Cancel");
  const bar = node("progress", { max: 1, "aria-label": "progress" });
  const status = node("span", { class: "gs-status", role: "status" });
  const actions = node("div", { class: "gs-actions" }, ...(spec.mode === "run" ? [run, cancel] : []),
    presets.length ? node("span", { class: "gs-hint" }, "Try") : null, ...presets, reset, bar, status);
  el.replaceChildren(node("div", { class: "gs-panel", role: "group", "aria-label": `Explorer ${spec.name}`, "data-mode": spec.mode },
    node("div", { class: "gs-controls" }, ...[...rows.values()].map(({ row }) => row)), actions));

  const draw = () => {
    const state = model.get("state");
    for (const [name, { row, show, error }] of rows) {
      const wrong = state.errors[name] || "";
      if (!post.waits(name)) show(state.positions[name], state.texts[name], wrong);
      error.textContent = wrong;
      row.classList.toggle("gs-wrong", wrong !== "");
    }
    for (const button of presets) button.setAttribute("aria-pressed", button.dataset.preset === state.preset);
    status.textContent = state.status.text;
    status.dataset.kind = state.status.kind;
    run.disabled = state.running;
    cancel.hidden = bar.hidden = !state.running;
    label();
  };
  const advance = () => {
    const [done, total] = model.get("progress");
    if (total) bar.value = done / total; else bar.removeAttribute("value");
  };
  // A plotly figure has neither role nor name of its own, may be drawn after the controls, and measures its width before
  // it is put into the page: it measures again when the window changes its size, so say that it did.
  let width = 0, told = false;
  const label = () => {
    const plot = el.closest(".gradscape-explorer")?.querySelector(".js-plotly-plot");
    if (!plot) return;
    if (plot.getAttribute("role") !== "img") plot.setAttribute("role", "img");
    if (plot.getAttribute("aria-label") !== model.get("state").alt) plot.setAttribute("aria-label", model.get("state").alt);
    if (el.clientWidth !== width && plot.querySelector(".main-svg")) {
      width = el.clientWidth;
      requestAnimationFrame(() => window.dispatchEvent(new Event("resize")));
    }
    if (!told && plot.querySelector(".main-svg")) {
      told = true;
      model.send({ kind: "drawn", traces: plot.data.length });
    }
  };
  const resized = new ResizeObserver(label);
  resized.observe(el);
  const stops = [watch(model, "state", draw), watch(model, "progress", advance), post.stop, hideStatic(el, label),
    () => resized.disconnect()];
  draw();
  advance();
  return () => stops.forEach((stop) => stop());
}

function notes({ model, el }) {
  const text = node("p"), table = node("div", { class: "gs-table", tabindex: 0, role: "region", "aria-label": "Data table" }), command = node("code");
  const data = node("details", { ontoggle: () => model.send({ kind: "table", open: data.open }) },
    node("summary", {}, "Data table"), table);
  const words = node("details", {}, node("summary", {}, "Figure as text"), text);
  const shell = node("details", { class: "gs-shell" }, node("summary", {}, "Shell command"), command);
  el.replaceChildren(node("div", { class: "gs-notes" }, words, data, shell));
  const draw = () => {
    const state = model.get("state");
    text.textContent = state.text;
    table.innerHTML = state.table; // made by data_table(), which escapes every text
    command.textContent = state.command;
    shell.hidden = !state.command;
  };
  const stop = watch(model, "state", draw);
  draw();
  return stop;
}

function predict({ model, el }) {
  const spec = model.get("spec"), group = `gs-${++count}`;
  const said = node("p", { class: "gs-status", role: "status" });
  const choices = spec.options.map((option, k) => {
    const radio = node("input", { type: "radio", name: group, id: `${group}-${k}`, value: k,
      onchange: () => model.send({ kind: "answer", position: k }) });
    return node("label", { for: radio.id, class: "gs-option" }, radio, option);
  });
  el.replaceChildren(node("fieldset", { class: "gs-predict" },
    node("legend", {}, node("b", {}, "Predict first. "), spec.question), ...choices, said));
  const draw = () => {
    const state = model.get("state");
    choices.forEach((choice, k) => { choice.firstChild.checked = k === state.position; });
    said.textContent = state.status;
  };
  const stops = [watch(model, "state", draw), hideStatic(el, () => {})];
  draw();
  return () => stops.forEach((stop) => stop());
}

function reveal({ model, el }) {
  const verdict = node("p"), why = node("p");
  const box = node("details", { class: "gs-predict" }, node("summary", {}, "Compare with your prediction"), verdict, why);
  el.replaceChildren(box);
  const draw = () => {
    const state = model.get("state");
    verdict.textContent = state.verdict;
    why.textContent = state.why;
    if (state.open) box.open = true;
  };
  const stops = [watch(model, "state", draw), hideStatic(el, () => {})];
  draw();
  return () => stops.forEach((stop) => stop());
}

// What is stored beside a live view (a picture, a line how to make it live) is hidden while the view lives. It ends with
// an element of class gradscape-static. Outputs may arrive after the view: look again whenever the cell's area changes.
function hideStatic(el, also) {
  let area = null, hidden = [];
  const look = () => {
    also();
    const mine = el.closest(".jp-OutputArea-child");
    area = mine?.parentElement;
    if (!area) return;
    const later = [...area.children].slice([...area.children].indexOf(mine) + 1);
    const end = later.findIndex((child) => child.querySelector(".gradscape-static"));
    for (const child of later.slice(0, end + 1)) {
      if (child.style.display !== "none") { child.style.display = "none"; hidden.push(child); }
    }
  };
  const observer = new MutationObserver(look);
  const start = setInterval(() => { // the view is put into the page after it is drawn
    if (!el.isConnected) return;
    clearInterval(start);
    look();
    if (area) observer.observe(area, { childList: true, subtree: true });
  }, 20);
  return () => {
    clearInterval(start);
    observer.disconnect();
    for (const child of hidden) child.style.display = "";
  };
}

const views = { controls, notes, predict, reveal };

// JupyterLab would take plain keys for itself: arrows move between its cells, x cuts one.
function keepKeys(event) {
  if (!event.ctrlKey && !event.metaKey && !event.altKey && !(event.shiftKey && event.key === "Enter")) event.stopPropagation();
}

export default {
  render: async (context) => {
    context.el.addEventListener("keydown", keepKeys);
    await reliable(context.model);
    return views[context.model.get("kind")](context);
  },
};
