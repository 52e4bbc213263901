"use strict";
// Theme, filter of the scoreboard, and figures that are drawn when they come near the window. No request is ever made.
(() => {
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const saved = () => { try { return localStorage.getItem("gradscape-theme"); } catch { return null; } };
  const apply = () => { root.dataset.theme = saved() || (system.matches ? "dark" : "light"); };
  apply();
  system.addEventListener("change", apply);

  const themeButton = () => {
    const button = document.getElementById("theme");
    button.addEventListener("click", () => {
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
      try { localStorage.setItem("gradscape-theme", root.dataset.theme); } catch { /* kept for this page only */ }
    });
  };

  const filter = () => {
    const group = document.querySelector(".filter");
    if (!group) return;
    group.hidden = false;
    const buttons = [...group.querySelectorAll("button")];
    const choose = (chosen) => {
      for (const button of buttons) button.setAttribute("aria-pressed", String(button === chosen));
      const wanted = chosen.dataset.filter;
      for (const section of document.querySelectorAll("section.lesson")) {
        let left = 0;
        for (const row of section.querySelectorAll("tr[data-verdict]")) {
          row.hidden = wanted !== "" && row.dataset.verdict !== wanted;
          left += row.hidden ? 0 : 1;
        }
        section.hidden = left === 0;
      }
    };
    for (const button of buttons) button.addEventListener("click", () => choose(button));
  };

  // On a narrow window the title becomes text above the figure, where it can wrap, the legend goes below the plot, and a
  // figure of several panels is scrolled sideways.
  const NARROW = 560;
  const fitted = (place, figure) => {
    const layout = { ...figure.layout, autosize: true };
    delete layout.width;
    const panels = Object.keys(layout).filter((name) => /^xaxis\d*$/.test(name)).length;
    if (place.clientWidth >= NARROW) return layout;
    const height = layout.height || 450;
    const spare = caption(place, layout) ? 40 : 0;
    if (panels > 1) place.classList.add("panels");
    else {
      layout.legend = { ...layout.legend, orientation: "h", x: 0, xanchor: "left", y: -0.25, yanchor: "top" };
      layout.margin = { ...layout.margin, r: 12 };
    }
    if (spare) layout.margin = { ...layout.margin, t: panels > 1 ? 36 : 16 };
    layout.height = height + (panels > 1 ? 0 : 60) - spare;
    return layout;
  };
  const caption = (place, layout) => {
    const title = layout.title && typeof layout.title === "object" ? layout.title : { text: layout.title };
    const words = (text) => String(text || "").replace(/<br\s*\/?>/g, " ").replace(/<\/?[a-z][^>]*>/gi, "");
    if (!words(title.text)) return false;
    const head = document.createElement("p");
    head.className = "caption";
    const strong = document.createElement("b");
    const [first, ...rest] = String(title.text).split(/<br\s*\/?>/);
    strong.textContent = words(first);
    head.append(strong, document.createElement("br"), words([...rest, title.subtitle && title.subtitle.text].join(" ")));
    place.before(head);
    place.style.minHeight = "0";
    delete layout.title;
    return true;
  };
  // A drawn figure has buttons in it, so it can be no image as a whole: its drawing takes over role and text.
  const named = (place, target) => {
    const [drawing, ...over] = target.querySelectorAll(".main-svg");
    if (!drawing) return;
    for (const name of ["role", "aria-label"]) {
      drawing.setAttribute(name, place.getAttribute(name) || "");
      place.removeAttribute(name);
    }
    for (const layer of over) layer.setAttribute("aria-hidden", "true");
  };
  const draw = (place) => {
    const source = place.querySelector("script");
    if (!source || !window.Plotly) return;
    const figure = JSON.parse(source.textContent);
    const layout = fitted(place, figure);
    const config = { ...figure.config, responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "" };
    const target = document.createElement("div");
    source.replaceWith(target);
    window.Plotly.newPlot(target, figure.data || [], layout, config).then(() => { named(place, target); place.dataset.drawn = "yes"; }, (error) => {
      target.textContent = `This figure could not be drawn: ${error.message}`;
      place.dataset.drawn = "failed";
    });
  };
  const figures = () => {
    const places = document.querySelectorAll(".figure");
    if (!("IntersectionObserver" in window)) { places.forEach(draw); return; }
    const watch = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) { watch.unobserve(entry.target); draw(entry.target); }
    }, { rootMargin: "600px" });
    places.forEach((place) => watch.observe(place));
    window.addEventListener("beforeprint", () => document.querySelectorAll(".figure:not([data-drawn])").forEach(draw));
  };

  // What is too wide for the window is scrolled sideways, by keys too.
  const scrolled = () => {
    for (const place of document.querySelectorAll(".formula, .cell.text table, .output, .html, pre, .figure")) {
      if (place.scrollWidth > place.clientWidth) place.tabIndex = 0;
      else place.removeAttribute("tabindex");
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    themeButton(); filter(); figures();
    if ("ResizeObserver" in window) new ResizeObserver(scrolled).observe(document.body);
    document.addEventListener("toggle", scrolled, true);
  });
})();
