"use strict";
// The page is whole without this script. It adds light and dark, copying, figures that answer to pointer and keys,
// and one dyad highlighted in all of them.
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const status = document.getElementById("status");

  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  // ---- Light and dark: what the system asks for, until the reader chooses.

  const button = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const sayTheme = () => button.setAttribute("aria-pressed", String(isDark()));
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    sayTheme();
  });
  dark.addEventListener("change", sayTheme);
  sayTheme();
  document.getElementById("controls").hidden = false;

  // ---- What is wider than the page: only that can be focused, and says so.

  function sayOverflow(element) {
    const over = element.scrollWidth > element.clientWidth + 1;
    element.classList.toggle("overflows", over);
    if (over || element.matches(".drawing")) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
  const sizes = new ResizeObserver((entries) => entries.forEach((entry) => sayOverflow(entry.target)));
  all(".scroll").forEach((element) => sizes.observe(element));

  // ---- Copying, where the browser lets a page do so.

  function offerCopy(holder, text, what) {
    const copy = make("button", { type: "button", className: "copy", textContent: "Copy" });
    copy.setAttribute("aria-label", `Copy ${what}`);
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        copy.textContent = "Copied";
      } catch {
        copy.textContent = "Not allowed here";
      }
      status.textContent = copy.textContent;
      setTimeout(() => (copy.textContent = "Copy"), 2000);
    });
    holder.append(copy);
  }
  if (navigator.clipboard) {
    all("details.source").forEach((d) => {
      const holder = make("div", { className: "copied" });
      d.querySelector("summary").after(holder);
      offerCopy(holder, d.querySelector("pre").textContent, d.querySelector("summary").textContent);
    });
    all(".equation").forEach((e) => offerCopy(e.querySelector(".words"), e.dataset.latex, "the equation as LaTeX"));
  }

  // ---- Print: what is folded away is opened, and folded again.

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details.source:not(.file, [open])"); // what lies in a file of its own is only named
    opened.forEach((d) => (d.open = true));
  });
  addEventListener("afterprint", () => opened.forEach((d) => (d.open = false)));

  // ---- Numbers as the report writes them: numbers.py, in the few lines that tooltips need.

  const MINUS = "\u2212", NONE = "\u2014";

  function fixed(size, decimals) {
    // Exact halves go to the even digit, as they do in the report; toFixed would round them up.
    if ((size * 2 ** (decimals + 1)) % 2 !== 1) return size.toFixed(decimals);
    const below = Math.floor(size * 10 ** decimals);
    return ((below + (below % 2)) / 10 ** decimals).toFixed(decimals);
  }

  function number(value, decimals = 2) {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? NONE : `${value < 0 ? MINUS : ""}\u221e`;
    const size = Math.abs(value);
    if (size >= 1e7) {
      const [mantissa, exponent] = value.toExponential(2).split("e");
      const power = [...String(Number(exponent))].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
      return `${mantissa.replace("-", MINUS)} × 10${power}`;
    }
    const text = fixed(size, decimals);
    return (value < 0 && /[1-9]/.test(text) ? MINUS : "") + text;
  }

  const proportion = (value, decimals = 2) => number(value, decimals).replace(/^(\u2212?)0\./, "$1.");

  function pValue(value, decimals = 3) {
    const least = 10 ** -decimals;
    if (value < least) return `< ${proportion(least, decimals)}`;
    return value >= 1 - least / 2 ? `> ${proportion(1 - least, decimals)}` : proportion(value, decimals);
  }

  const count = (value) => (value <= -0.5 ? MINUS : "") + fixed(Math.abs(value), 0).replace(/\B(?=(\d{3})+$)/g, ",");
  const occasion = (value) =>
    (Math.abs(value) < 1e6 ? String(Number(value.toPrecision(6))) : value.toFixed(0)).replace("-", MINUS);

  function written(value, kind, decimals) {
    if (value === null || value === undefined) return NONE;
    if (typeof value !== "number") return String(value);
    const by = { p: pValue, count, occasion }[kind] ?? number;
    return by(value, decimals ?? undefined);
  }

  // ---- Figures. A drawing becomes a live view when it comes near, is pointed at or focused.

  if (typeof vega === "undefined") return;

  const loader = { load: () => Promise.reject(), sanitize: () => Promise.reject(), http: null, file: null };
  const live = new Map(); // figure -> promise of its view, with the points that can be pointed at
  const tip = make("div", { className: "tip", hidden: true });
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);

  // Label and words of what is told of a mark: its own tooltip, with the numbers written as in the report.
  function told({ datum = {}, tooltip }, fields) {
    const here = fields.filter(([name]) => name in datum);
    const say = ([name, label, kind, decimals]) => [label, written(datum[name], kind, decimals)];
    if (tooltip === undefined || tooltip === null) return here.map(say);
    if (typeof tooltip !== "object") return [["", String(tooltip)]];
    return Object.entries(tooltip).map(([label, text]) => {
      const meant = here.filter((field) => field[1] === label);
      return meant.length === 1 ? say(meant[0]) : [label, String(text)];
    });
  }

  function pointsOf(view, fields) {
    const found = [];
    const dataMark = (mark) => mark.marktype !== "text" && !/axis|legend|title|header|footer/.test(mark.role);
    const withTips = (mark) => mark.marktype === "group" ? mark.items.some((g) => g.items.some(withTips))
      : dataMark(mark) && mark.items.some((item) => item.tooltip);
    const root = view.scenegraph().root;
    const asked = withTips(root); // where some marks have tooltips, the others are to be silent
    const add = (item, x, y, more = {}) => {
      const lines = item.defined === false || (asked && !item.tooltip) ? [] : told(item, fields);
      if (lines.length) found.push({ x, y, lines, dyad: item.datum?.dyad, ...more });
    };
    const visit = (mark, x, y) => {
      if (!dataMark(mark)) return;
      mark.items.forEach((item, place) => {
        const left = x + (item.x ?? 0), top = y + (item.y ?? 0);
        if (mark.marktype === "group") return item.items.forEach((inner) => visit(inner, left, top));
        if (mark.marktype === "rect") {
          const right = left + (item.width ?? 0), bottom = top + (item.height ?? 0);
          return add(item, (left + right) / 2, top, { box: [left, top, right, bottom] });
        }
        add(item, left, top);
        if (mark.marktype === "rule") add(item, x + (item.x2 ?? item.x), y + (item.y2 ?? item.y));
        const before = mark.marktype === "line" && item.datum?.dyad !== undefined && mark.items[place - 1];
        if (!before || before.defined === false) return;
        // Between its points a line says whose it is, and nothing else.
        const steps = Math.floor(Math.hypot(item.x - before.x, item.y - before.y) / 12);
        const whose = { datum: item.datum, tooltip: { Dyad: item.datum.dyad } };
        for (let s = 1; s < steps; s += 1) {
          const part = s / steps;
          add(whose, left + (before.x - item.x) * part, top + (before.y - item.y) * part, { between: true });
        }
      });
    };
    const [x, y] = view.origin(), { left, top } = view.padding();
    visit(root, x + left, y + top);
    return found;
  }

  // Data are written column by column.
  function rowsOf(columns) {
    const named = Object.entries(columns);
    return named[0][1].map((_, row) => Object.fromEntries(named.map(([name, values]) => [name, values[row]])));
  }

  async function enliven(figure) {
    const plot = JSON.parse(figure.querySelector("script").textContent);
    for (const data of plot.spec.data ?? []) if (data.values && !Array.isArray(data.values)) data.values = rowsOf(data.values);
    const stage = make("div");
    const view = new vega.View(vega.parse(plot.spec, null, { ast: true }), {
      expr: vega.expressionInterpreter, renderer: "svg", container: stage, hover: false, loader, logLevel: vega.Error,
    });
    await view.runAsync();
    const drawing = figure.querySelector(".drawing"), drawn = stage.querySelector("svg");
    drawn.setAttribute("aria-hidden", "true");
    const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    ring.setAttribute("class", "ring");
    ring.setAttribute("r", "6");
    drawn.append(ring);
    drawing.replaceChildren(stage);
    const linked = (plot.spec.signals ?? []).some((signal) => signal.name === "dyad");
    const made = { figure, view, drawn, ring, linked, points: pointsOf(view, plot.fields), at: -1 };
    figure.classList.add("live");
    if (linked && shown) await light(made);
    return made;
  }

  function bring(figure) {
    if (!live.has(figure)) {
      live.set(figure, enliven(figure).catch((error) => {
        console.error(error); // the drawing that stands there stays
        return null;
      }));
    }
    return live.get(figure);
  }

  // ---- Tooltips.

  function nearest(one, event) {
    const matrix = one.drawn.getScreenCTM();
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    const reach = 22 / matrix.a;
    let best = -1, least = reach * reach;
    one.points.forEach(({ x, y, box }, place) => {
      const across = box && at.x >= box[0] && at.x <= box[2] && at.y <= box[3];
      // A bar that is too low to be hit can be pointed at from a little above it.
      const over = across && (at.y >= box[1] ? 0 : at.y >= box[3] - 12 ? 1 : Infinity);
      const distance = across ? over : box ? Infinity : (x - at.x) ** 2 + (y - at.y) ** 2;
      if (distance < least) [best, least] = [place, distance];
    });
    return best;
  }

  function point(one, place) {
    one.at = place;
    const there = one.points[place];
    tip.hidden = !there;
    one.ring.classList.toggle("on", Boolean(there && !there.box && !there.between));
    if (!there) return;
    tip.replaceChildren(...there.lines.map(([label, value]) =>
      make("div", {}, make("bdi", { className: "name", textContent: label }), " ", make("bdi", { textContent: value }))));
    one.ring.setAttribute("cx", there.x);
    one.ring.setAttribute("cy", there.y);
    const on = new DOMPoint(there.x, there.y).matrixTransform(one.drawn.getScreenCTM());
    const { width, height } = tip.getBoundingClientRect();
    const left = on.x + 14 + width > root.clientWidth ? on.x - 14 - width : on.x + 14;
    const top = on.y - 14 - height < 0 ? on.y + 14 : on.y - 14 - height;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, top)}px`;
  }

  function step(one, by) {
    const stops = one.points.flatMap((there, place) => (there.between ? [] : [place]));
    const at = stops.indexOf(one.at);
    point(one, stops[at < 0 ? (by > 0 ? 0 : stops.length - 1) : Math.min(stops.length - 1, Math.max(0, at + by))]);
    status.textContent = tip.innerText.replaceAll("\n", "; ");
  }

  // ---- One dyad in all figures: pointed at, or chosen until Escape.

  const chooser = document.getElementById("dyad");
  let chosen = "", shown = "";

  const light = (one) => one.view.signal("dyad", shown || null).runAsync();

  async function show(dyad) {
    if (dyad === shown) return;
    shown = dyad;
    for (const one of await Promise.all(live.values())) if (one?.linked) await light(one);
  }

  function choose(dyad) {
    if (!chooser) return;
    chosen = dyad;
    chooser.value = dyad;
    all("figure.individual").forEach(bring);
    show(dyad);
    status.textContent = dyad ? `${dyad} is highlighted.` : "No dyad is highlighted.";
  }

  chooser?.addEventListener("change", () => choose(chooser.value));
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    tip.hidden = true;
    if (chosen) choose("");
    else show("");
  });
  addEventListener("scroll", () => (tip.hidden = true), { passive: true, capture: true });

  // ---- What wakes a figure, and what it listens to.

  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      idle(() => bring(target));
    }
  }, { rootMargin: "200px" });

  for (const figure of all("figure")) {
    near.observe(figure);
    const drawing = figure.querySelector(".drawing");
    drawing.addEventListener("pointerenter", () => bring(figure));
    drawing.addEventListener("focus", () => bring(figure));
    const toward = (event, then) => bring(figure).then((one) => one && then(one, nearest(one, event)));
    const dyadAt = (one, place) => String((chooser && one.points[place]?.dyad) ?? "");
    drawing.addEventListener("pointermove", (event) => toward(event, (one, place) => {
      if (place !== one.at) point(one, place);
      show(dyadAt(one, place) || chosen);
    }));
    drawing.addEventListener("click", (event) => toward(event, (one, place) => {
      point(one, place);
      const dyad = dyadAt(one, place);
      if (dyad) choose(dyad === chosen ? "" : dyad);
    }));
    const leave = () => live.get(figure)?.then((one) => {
      if (one) point(one, -1);
      show(chosen);
    });
    drawing.addEventListener("pointerleave", leave);
    drawing.addEventListener("blur", leave);
    drawing.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!by && event.key !== "Enter") return;
      event.preventDefault();
      bring(figure).then((one) => {
        if (!one) return;
        if (by) step(one, by);
        else if (dyadAt(one, one.at)) choose(dyadAt(one, one.at));
      });
    });
  }
})();
