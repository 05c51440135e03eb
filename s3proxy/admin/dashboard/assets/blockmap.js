// Where the blocks of one object lie, as a map of small squares on a canvas.

import { empty, make, setText } from "./dom.js";
import { colourOf } from "./plots.js";
import { bytes, plural, visible } from "./units.js";

const MOST_CELLS = 10_000; // beyond that a square stands for several blocks
const LARGEST_PITCH = 26;
const SMALLEST_PITCH = 4;
const TALLEST = 300;

const STATES = [
  { name: "memory", label: "In memory" },
  { name: "disk", label: "On disk" },
  { name: "partly", label: "Partly" },
  { name: "nowhere", label: "Nowhere" },
];

export class BlockMap {
  #region;
  #place = null;
  #object = null;
  #cells = [];
  #columns = 1;
  #pitch = LARGEST_PITCH;
  #chosen = null;
  #canvas = null;
  #detail = null;
  #counts = new Map();
  #facts = null;

  constructor(region) {
    this.#region = region;
    new ResizeObserver(() => this.#draw()).observe(region);
    this.choose(null);
  }

  /** Makes room for an object, or says how to choose one. */
  choose(place) {
    if (place !== null && this.#place?.bucket === place.bucket && this.#place.key === place.key) return;
    this.#place = place;
    this.#object = null;
    this.#canvas = null;
    this.#chosen = null;
    this.#region.replaceChildren(
      ...(place === null
        ? [empty("Choose an object to see which of its blocks lie in memory, on disk, or nowhere.")]
        : [this.#title(), empty("Asking where its blocks lie")]),
    );
  }

  /** Shows the answer to /blocks, or { reason, isGone }; what is known of a node that has gone stays. */
  show(answer) {
    if (answer.isGone && this.#object !== null) return;
    if (answer.reason !== undefined) {
      this.#canvas = null;
      this.#region.replaceChildren(this.#title(), empty(visible(answer.reason)));
      return;
    }
    this.#object = answer;
    this.#cells = cellsOf(answer);
    if (this.#canvas === null) this.#build();
    setText(this.#facts, factsOf(answer));
    for (const { name } of STATES) setText(this.#counts.get(name), this.#countOf(name).toLocaleString("en"));
    this.#canvas.hidden = this.#cells.length === 0;
    this.#canvas.setAttribute(
      "aria-label",
      `Map of ${plural(answer.blocks.length, "block")}: ${STATES.map(
        ({ name, label }) => `${label.toLowerCase()} ${this.#countOf(name)}`,
      ).join(", ")}. The arrow keys go from block to block.`,
    );
    this.#draw();
    this.#describe();
  }

  /** Draws anew in the colours of the theme. */
  redraw() {
    this.#draw();
  }

  #countOf(name) {
    return this.#cells.filter((cell) => cell.state === name).reduce((sum, cell) => sum + cell.count, 0);
  }

  #title() {
    const { bucket, key } = this.#place;
    return make(
      "h3",
      { class: "ellipsis object-name", title: `${visible(bucket)}/${visible(key)}` },
      make("bdi", {}, visible(key)),
    );
  }

  #build() {
    this.#facts = make("p", { class: "note" });
    this.#detail = make("p", { class: "detail note", "aria-live": "polite" });
    const legend = make(
      "ul",
      { class: "legend" },
      ...STATES.map(({ name, label }) => {
        const figure = make("b");
        this.#counts.set(name, figure);
        return make(
          "li",
          {},
          make("i", { class: "swatch square", "data-state": name }),
          make("span", {}, label),
          figure,
        );
      }),
    );
    this.#canvas = make("canvas", {
      class: "map",
      tabindex: "0",
      role: "img",
      pointermove: (event) => this.#choose(this.#cellAt(event)),
      pointerdown: (event) => this.#choose(this.#cellAt(event)),
      pointerleave: () => this.#choose(null),
      blur: () => this.#choose(null),
      keydown: (event) => this.#walk(event),
    });
    this.#region.replaceChildren(this.#title(), this.#facts, legend, this.#canvas, this.#detail);
  }

  #draw() {
    if (this.#canvas === null || this.#canvas.hidden) return;
    const width = this.#region.clientWidth;
    if (width === 0) return;
    this.#lay(width);
    const rows = Math.ceil(this.#cells.length / this.#columns);
    const height = rows * this.#pitch;
    const scale = devicePixelRatio;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    this.#canvas.style.height = `${height}px`;
    const context = this.#canvas.getContext("2d");
    context.scale(scale, scale);
    const colours = Object.fromEntries(["memory", "disk", "nowhere"].map((name) => [name, colourOf(`--${name}`)]));
    const side = this.#pitch - (this.#pitch > 8 ? 2 : 1);
    this.#cells.forEach((cell, index) => {
      const left = (index % this.#columns) * this.#pitch;
      const top = Math.floor(index / this.#columns) * this.#pitch;
      paint(context, colours, cell, { left, top, side });
    });
    if (this.#chosen !== null) this.#frame(context, side);
  }

  /** The largest squares with which the map is not taller than it should be. */
  #lay(width) {
    for (this.#pitch = LARGEST_PITCH; this.#pitch > SMALLEST_PITCH; this.#pitch -= 1) {
      const columns = Math.floor(width / this.#pitch);
      if (Math.ceil(this.#cells.length / columns) * this.#pitch <= TALLEST) break;
    }
    this.#columns = Math.max(1, Math.floor(width / this.#pitch));
  }

  #frame(context, side) {
    context.strokeStyle = colourOf("--ink");
    context.lineWidth = 1.5;
    const left = (this.#chosen % this.#columns) * this.#pitch;
    const top = Math.floor(this.#chosen / this.#columns) * this.#pitch;
    context.strokeRect(left + 0.75, top + 0.75, Math.max(side - 1.5, 1), Math.max(side - 1.5, 1));
  }

  #cellAt(event) {
    const column = Math.floor(event.offsetX / this.#pitch);
    const index = Math.floor(event.offsetY / this.#pitch) * this.#columns + column;
    return column >= 0 && column < this.#columns && index >= 0 && index < this.#cells.length ? index : null;
  }

  #walk(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns, ArrowDown: this.#columns };
    const last = this.#cells.length - 1;
    const places = { Home: 0, End: last };
    if (event.key in places) this.#choose(places[event.key]);
    else if (event.key in steps) {
      const next = this.#chosen === null ? 0 : this.#chosen + steps[event.key];
      this.#choose(Math.min(last, Math.max(0, next)));
    } else return;
    event.preventDefault();
  }

  #choose(index) {
    if (index === this.#chosen) return;
    this.#chosen = index;
    this.#draw();
    this.#describe();
  }

  #describe() {
    if (this.#detail === null) return;
    const cell = this.#chosen === null ? undefined : this.#cells[this.#chosen];
    const words = cell === undefined ? "Point at a square to see what it stands for." : inWords(cell, this.#object);
    setText(this.#detail, this.#cells.length ? words : "An empty object has no blocks.");
    this.#canvas.title = cell === undefined ? "" : words;
  }
}

/** Blocks as squares: { first, count, length, memory, disk, state, share }. */
function cellsOf({ size, block_size: blockSize, blocks }) {
  const group = Math.ceil(blocks.length / MOST_CELLS) || 1;
  const cells = [];
  for (let first = 0; first < blocks.length; first += group) {
    const members = blocks.slice(first, first + group);
    const length = Math.min(size, (first + members.length) * blockSize) - first * blockSize;
    const memory = members.reduce((sum, [amount]) => sum + amount, 0);
    const disk = members.reduce((sum, [, amount]) => sum + amount, 0);
    cells.push({ first, count: members.length, length, memory, disk, ...stateOf(memory, disk, length) });
  }
  return cells;
}

function stateOf(memory, disk, length) {
  if (memory >= length) return { state: "memory", share: 1 };
  if (disk >= length) return { state: "disk", share: 1 };
  if (memory + disk === 0) return { state: "nowhere", share: 0 };
  return { state: "partly", share: Math.max(memory, disk) / length };
}

/** A block that is there in part is filled from below as far as it is there. */
function paint(context, colours, { state, share, memory, disk }, { left, top, side }) {
  context.fillStyle = state === "partly" ? colours.nowhere : colours[state];
  context.fillRect(left, top, side, side);
  if (state !== "partly") return;
  const filled = Math.max(1, Math.min(side - 1, Math.round(side * share)));
  context.fillStyle = memory >= disk ? colours.memory : colours.disk;
  context.fillRect(left, top + side - filled, side, filled);
}

function inWords({ first, count, length, memory, disk }, { block_size: blockSize }) {
  const start = first * blockSize;
  const name =
    count === 1
      ? `Block ${first.toLocaleString("en")}`
      : `Blocks ${first.toLocaleString("en")} to ${(first + count - 1).toLocaleString("en")}`;
  const where = [
    memory > 0 ? `${memory >= length ? "all" : bytes(memory)} in memory` : null,
    disk > 0 ? `${disk >= length ? "all" : bytes(disk)} on disk` : null,
  ].filter(Boolean);
  return `${name}, ${bytes(length)} from ${bytes(start)} on: ${where.join(", ") || "nowhere in the cache"}.`;
}

function factsOf({ size, etag, block_size: blockSize, blocks, is_truncated: isTruncated }) {
  const all = `${plural(Math.ceil(size / blockSize), "block")} of ${bytes(blockSize)}`;
  const shown = isTruncated ? `${all} of which the first ${blocks.length.toLocaleString("en")} are shown` : all;
  return [bytes(size), shown, etag && `ETag ${visible(etag)}`].filter(Boolean).join(", ");
}
