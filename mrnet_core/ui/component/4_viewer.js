// The viewer: the bar, what the panes share, keys, the address, and Streamlit's way of mounting it.

const ADDRESS_DELAY = 350; // ms of quiet before the view is written to the address

class Viewer {
  constructor(root) {
    this.root = root;
    this.panes = [];
    this.state = { task: "abnormal", heat: true, opacity: 0.5, scaling: "exam", truth: false, drag: "slices" };
    this.shown = new Map();
    this.part = (name) => root.querySelector(name);
    const stops = RAMP.map(([at, r, g, b]) => `rgb(${r} ${g} ${b} / ${Math.min(1, at * 1.5)}) ${at * 100}%`);
    this.part(".legend i").style.setProperty("--ramp", `linear-gradient(90deg, ${stops.join(", ")})`);
    this.listen();
  }

  /** Take a header unpacked from a blob: a new exam, or the same one with its maps. */
  adopt(data) {
    const same = this.data?.exam === data.exam;
    const maps = data.panes.some((pane) => Object.keys(pane.maps).length);
    this.data = data;
    if (!this.ready) this.state.task = this.asked.task ?? data.firstTask ?? this.state.task;
    const planes = data.panes.map((pane) => pane.plane).join();
    if (!same && this.panes.map((pane) => pane.data.plane).join() !== planes) this.build(data);
    this.panes.forEach((pane, n) => {
      pane.adopt(data.panes[n]);
      if (!same) pane.reset();
    });
    this.buildTasks(data.tasks);
    this.listTruth();
    this.part(".notice").textContent = data.notice;
    if (!same) this.state.truth &&= Boolean(data.truth);
    const moved = this.touched;
    if (!this.ready) this.panes.forEach((pane) => pane.show(this.asked.slices[pane.data.plane] ?? pane.view.slice, false));
    if (maps && !this.mapped && !moved && !this.asked.given) this.jumpAll(false);
    else if (!maps) this.say(data.withoutMaps);
    else if (!this.mapped) this.say("The heatmaps are ready.");
    this.mapped = maps;
    this.ready = true;
    this.refresh();
  }

  build(data) {
    this.panes.forEach((pane) => pane.remove());
    const template = this.part("template");
    this.panes = data.panes.map((pane) => {
      const element = template.content.firstElementChild.cloneNode(true);
      this.part(".panes").append(element);
      return new Pane(this, pane, element);
    });
    this.active = this.panes[0];
  }

  buildTasks(tasks) {
    const group = this.part(".tasks");
    if (group.childElementCount) return;
    tasks.forEach(({ task, name }, n) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("role", "radio");
      button.dataset.task = task;
      button.title = `Heatmaps of the ${name} networks (${n + 1})`;
      button.textContent = name;
      button.addEventListener("click", () => this.set({ task }));
      group.append(button);
    });
  }

  set(change) {
    Object.assign(this.state, change);
    this.refresh();
    this.writeAddress();
  }

  refresh() {
    const { state } = this;
    for (const button of this.root.querySelectorAll("[data-task], [data-drag][role]")) {
      const on = button.dataset.task ? button.dataset.task === state.task : button.dataset.drag === state.drag;
      button.setAttribute("aria-checked", on);
    }
    for (const name of [".heat", ".opacity input", ".scaling", ".jump-all"]) this.part(name).disabled = !this.mapped;
    this.part(".heat").setAttribute("aria-pressed", Boolean(this.mapped && state.heat));
    this.part(".opacity input").value = Math.round(state.opacity * 100);
    this.part(".scaling").value = state.scaling;
    this.part(".truth").hidden = !this.data.truth;
    this.part(".truth").setAttribute("aria-pressed", state.truth);
    this.part(".true-words").hidden = !(this.data.truth && state.truth);
    this.panes.forEach((pane) => pane.redraw());
  }

  taskName() {
    return this.data.tasks.find(({ task }) => task === this.state.task).name;
  }

  /** One line below the panes, read out by screen readers; without words, what the marks mean. */
  say(words) {
    const marks = this.mapped
      ? "▼ marks each plane's most activated slice: the one with the highest peak of the map. The bars are each slice's peak."
      : "";
    this.part(".status").textContent = words || marks;
  }

  mostWords(pane) {
    const nowhere = pane.map.peak > 0 ? "" : ", though the map is nowhere above zero";
    return `slice ${pane.map.most + 1} is the most activated for ${this.taskName()}: its map has the highest peak of the series${nowhere}.`;
  }

  jumpAll(byHand = true) {
    const panes = this.panes.filter((pane) => pane.map);
    if (!panes.length) return;
    panes.forEach((pane) => pane.show(pane.map.most, false));
    const list = panes.map((pane) => `${pane.data.name.toLowerCase()} ${pane.map.most + 1}`).join(", ");
    const cold = panes.filter((pane) => !(pane.map.peak > 0)).map((pane) => pane.data.name.toLowerCase());
    const note = cold.length ? ` Nowhere above zero: ${cold.join(", ")}.` : "";
    this.say(
      `Shown is each plane's most activated slice for ${this.taskName()}, the one with the highest peak of its map: ${list}.${note}`,
    );
    if (byHand) this.writeAddress();
  }

  /** The person moved to another slice: leave their view alone from now on, and share it in the address. */
  moved() {
    this.touched = true;
    this.say("");
    this.writeAddress();
  }

  listTruth() {
    const place = this.part(".true-words");
    place.replaceChildren();
    if (!this.data.truth) return;
    const words = document.createElement("span");
    words.textContent = this.data.truth.words;
    const list = document.createElement("ul");
    this.data.truth.lesions.forEach((lesion, n) => {
      const item = document.createElement("li");
      item.style.setProperty("--c", LESION_COLOURS[n % LESION_COLOURS.length]);
      item.textContent = lesion;
      list.append(item);
    });
    place.append(words, list);
  }

  /** Dim the words of lesions that no pane shows at the moment. */
  truthShown(pane, numbers) {
    this.shown.set(pane.data.plane, numbers);
    const anywhere = new Set([...this.shown.values()].flat());
    this.root.querySelectorAll(".true-words li").forEach((item, n) => item.classList.toggle("away", !anywhere.has(n)));
  }

  noticeLines(pane) {
    const lines = [this.data.notice];
    const what = [`${pane.data.name}, slice ${pane.view.slice + 1} of ${pane.slices}`];
    if (pane.map && this.state.heat) {
      const model = this.data.model ? `, ${this.data.model}` : "";
      what.push(`${this.taskName()} heatmap, probability ${pane.map.probability.toFixed(2)}${model}`);
    }
    if (this.data.synthetic) what.push("synthetic knee");
    return [...lines, `${what.join("; ")}.`];
  }

  listen() {
    const on = (name, type, act) => this.part(name).addEventListener(type, act);
    on(".heat", "click", () => this.set({ heat: !this.state.heat }));
    on(".opacity input", "input", (event) => this.set({ opacity: event.target.value / 100 }));
    on(".scaling", "change", (event) => this.set({ scaling: event.target.value }));
    on(".truth", "click", () => this.set({ truth: !this.state.truth }));
    on(".jump-all", "click", () => this.jumpAll());
    on(".reset", "click", () => this.panes.forEach((pane) => pane.reset()));
    on(".full", "click", () => this.fullScreen());
    on(".keys", "click", () => this.help());
    for (const button of this.root.querySelectorAll("button[data-drag]")) {
      button.addEventListener("click", () => this.set({ drag: button.dataset.drag }));
    }
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("pointerenter", () => (this.over = true));
    this.root.addEventListener("pointerleave", () => (this.over = false));
    // Keys work without a click first while the pointer is over the viewer and nothing else has the focus.
    this.onDocumentKey = (event) => {
      if (this.over && (event.target === document.body || event.target === document.documentElement)) this.key(event);
    };
    // A theme change leaves the canvases as they are; the strips take their colours anew.
    this.scheme = window.matchMedia("(prefers-color-scheme: dark)");
    this.onScheme = () => this.panes.forEach((pane) => pane.redraw());
  }

  /** Mounted, also anew into the element it was removed from: the view is what the address says. */
  mount() {
    document.addEventListener("keydown", this.onDocumentKey);
    this.scheme.addEventListener("change", this.onScheme);
    this.readAddress();
    this.mounted = true;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.data) return;
    const control = event.target.closest?.("input, select, [role=radio]");
    // The pane with the focus goes before the one that the pointer happens to rest on.
    this.active = this.panes.find((pane) => pane.stage === event.target) ?? this.active;
    const arrows = /^(Arrow|Page|Home|End)/.test(event.key);
    if (control && arrows) {
      if (control.getAttribute("role") === "radio") this.stepRadio(control, event);
      return;
    }
    const act = arrows ? this.arrowKeys(event) : this.letterKeys()[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  arrowKeys({ key, shiftKey }) {
    const pane = this.active;
    const slices = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -5, PageDown: 5 };
    if (shiftKey && key.startsWith("Arrow")) {
      const step = 0.03;
      const [across, down] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[key];
      return () => pane.adjustWindow(across, down);
    }
    if (key === "Home") return () => pane.show(0);
    if (key === "End") return () => pane.show(pane.slices - 1);
    return () => pane.show(pane.view.slice + slices[key]);
  }

  letterKeys() {
    const { state } = this;
    const zoom = (factor) => () => {
      const box = this.active.stage.getBoundingClientRect();
      this.active.zoomAt(factor, box.left + box.width / 2, box.top + box.height / 2);
    };
    const opacity = (step) => () => this.set({ opacity: Math.min(1, Math.max(0.05, state.opacity + step)) });
    const keys = {
      h: () => this.set({ heat: !state.heat }),
      j: () => this.jumpAll(),
      t: () => this.data.truth && this.set({ truth: !state.truth }),
      s: () => this.active.save(),
      f: () => this.fullScreen(),
      "?": () => this.help(),
      0: () => this.panes.forEach((pane) => pane.reset()),
      "[": opacity(-0.1),
      "]": opacity(0.1),
      "+": zoom(1.25),
      "=": zoom(1.25),
      "-": zoom(0.8),
    };
    this.data.tasks.forEach(({ task }, n) => (keys[n + 1] = () => this.set({ task })));
    return keys;
  }

  /** Arrow keys inside a group of choices move the choice, as a radio group does. */
  stepRadio(button, event) {
    const all = [...button.parentElement.children];
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = all[(all.indexOf(button) + step + all.length) % all.length];
    next.focus();
    next.click();
  }

  help() {
    const panel = this.part(".help");
    panel.hidden = !panel.hidden;
    this.part(".keys").setAttribute("aria-expanded", !panel.hidden);
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen?.().catch(() => this.say("This browser does not allow full screen here."));
  }

  /** `?task=acl&slices=sagittal-12,coronal-9&map=off`: what is worth sharing of a view. Slices count from 1. */
  readAddress() {
    const address = new URLSearchParams(window.location.search);
    this.asked = { slices: {}, given: false };
    const task = address.get("task");
    if (["abnormal", "acl", "meniscus"].includes(task)) this.asked.task = task;
    for (const entry of (address.get("slices") ?? "").split(",")) {
      const [plane, number] = entry.split("-");
      if (/^[1-9][0-9]{0,3}$/.test(number ?? "")) {
        this.asked.slices[plane] = Number(number) - 1;
        this.asked.given = true;
      }
    }
    if (address.get("map") === "off") this.state.heat = false;
  }

  writeAddress() {
    clearTimeout(this.addressTimer);
    this.addressTimer = setTimeout(() => {
      const address = new URL(window.location);
      const slices = this.panes.map((pane) => `${pane.data.plane}-${pane.view.slice + 1}`).join(",");
      address.searchParams.set("task", this.state.task);
      address.searchParams.set("slices", slices);
      if (this.state.heat) address.searchParams.delete("map");
      else address.searchParams.set("map", "off");
      window.history.replaceState(window.history.state, "", address);
    }, ADDRESS_DELAY);
  }

  remove() {
    clearTimeout(this.addressTimer);
    document.removeEventListener("keydown", this.onDocumentKey);
    this.scheme.removeEventListener("change", this.onScheme);
    this.panes.forEach((pane) => pane.remove());
    this.panes = [];
    this.data = undefined;
    this.words = "";
    this.mounted = this.ready = this.mapped = this.touched = false;
  }
}

const VIEWERS = new WeakMap(); // by the element that Streamlit mounts into

/** Streamlit calls this when the component is mounted and again on every run of the page. */
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".viewer");
  let viewer = VIEWERS.get(root);
  if (!viewer) {
    viewer = new Viewer(root);
    VIEWERS.set(root, viewer);
  }
  if (!viewer.mounted) viewer.mount();
  const words = data ? headerWords(data) : "";
  if (words && words !== viewer.words) {
    viewer.words = words;
    viewer.adopt(unpack(data));
  } else if (viewer.data) {
    viewer.refresh();
  }
  return () => viewer.remove();
}
