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

  // Figures in the house idiom are as wide as their place; on a narrow one their fixed margins would eat the plot.
  const draw = (place) => {
    const source = place.querySelector("script");
    if (!source || !window.Plotly) return;
    const figure = JSON.parse(source.textContent);
    const layout = { ...figure.layout, autosize: true };
    delete layout.width;
    const config = { ...figure.config, responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "" };
    const target = document.createElement("div");
    source.replaceWith(target);
    window.Plotly.newPlot(target, figure.data || [], layout, config).then(() => { place.dataset.drawn = "yes"; }, (error) => {
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

  document.addEventListener("DOMContentLoaded", () => { themeButton(); filter(); figures(); });
})();
