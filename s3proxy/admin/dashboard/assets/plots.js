// The live plots: four uPlot instances over one time axis, with one cursor.

import { make, setText } from "./dom.js";
import { UNKNOWN, clock, count, perSecond, rate, ratio, seconds } from "./units.js";

const HEIGHT = 172;
const MIB = 1024 ** 2;
const LEAST_SPAN = 120;
const STACK_FILL = 0.35;
const BINARY_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);
const DECIMAL_STEPS = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();
const TIME_STEPS = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

const fromZero = (least) => (plot, low, high) => [0, Math.max((high ?? 0) * 1.12, least)];
const decades = (plot, low, high) => (low > 0 ? uPlot.rangeLog(low, high, 10, true) : [1e-3, 1]);

const isDecade = (value) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-6;
const onlyDecades = (plot, splits) => splits.map((split) => (isDecade(split) ? split : null));

const PLOTS = [
  {
    title: "Throughput by source",
    isStacked: true,
    format: rate,
    scale: { range: fromZero(MIB) },
    axis: { incrs: BINARY_STEPS },
    series: [
      { name: "bytes_memory", label: "Memory", colour: "--memory", fill: STACK_FILL },
      { name: "bytes_disk", label: "Disk", colour: "--disk" },
      { name: "bytes_store", label: "Store", colour: "--store" },
      { name: "bytes_local", label: "Local", colour: "--local" },
    ],
  },
  {
    title: "Hit ratio",
    format: ratio,
    scale: { range: () => [0, 1.03] },
    axis: {
      splits: () => [0, 0.25, 0.5, 0.75, 1],
      values: (plot, splits) => splits.map((split) => `${split * 100}\u202f%`),
    },
    series: [
      { name: "hit_byte_ratio", label: "Of bytes", colour: "--accent", fill: 0.1 },
      { name: "hit_ratio", label: "Of requests", colour: "--soft", dash: [4, 3] },
    ],
  },
  {
    title: "Latency of requests",
    format: seconds,
    scale: { distr: 3, range: decades },
    axis: { filter: onlyDecades, grid: { filter: onlyDecades } },
    series: [
      { name: "latency_p50", label: "p50", colour: "--p50" },
      { name: "latency_p90", label: "p90", colour: "--p90" },
      { name: "latency_p99", label: "p99", colour: "--p99" },
    ],
  },
  {
    title: "Store health",
    format: seconds,
    scale: { range: fromZero(0.01) },
    right: { format: count, scale: { range: fromZero(1) } },
    series: [
      { name: "store_latency_p50", label: "p50", colour: "--store-soft" },
      { name: "store_latency_p99", label: "p99", colour: "--store" },
      { name: "store_errors", label: "Errors", colour: "--bad", isRight: true, format: perSecond },
    ],
  },
];

/** A colour of the style sheet in the theme that shows, as the canvas understands it. */
export function colourOf(name, alpha = 1) {
  const probe = make("i", { hidden: true });
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const [red, green, blue] = getComputedStyle(probe).color.match(/[\d.]+/g);
  probe.remove();
  return `rgb(${red} ${green} ${blue} / ${alpha})`;
}

/** The plots below one element. `moment` is where the time under the cursor stands. */
export class Plots {
  #cards;
  #moment;
  #history = null;
  #span = 3600;

  constructor(region, moment) {
    this.#moment = moment;
    this.#cards = PLOTS.map(
      (definition) =>
        new Card(
          definition,
          () => this.#range(),
          (index) => this.#point(index),
        ),
    );
    region.append(...this.#cards.map((card) => card.element));
    for (const card of this.#cards) card.draw();
  }

  /** Shows the answer to /history. */
  show(history) {
    this.#history = history;
    for (const card of this.#cards) card.show(history);
    this.#point(this.#cards[0].cursor);
  }

  /** How many seconds up to now the plots span. */
  set span(spanSeconds) {
    this.#span = spanSeconds;
    for (const card of this.#cards) card.draw();
  }

  /** Draws anew in the colours of the theme. */
  redraw() {
    for (const card of this.#cards) card.draw();
  }

  #range() {
    const at = this.#history?.at ?? [];
    const end = at.at(-1) ?? Date.now() / 1000;
    const begun = Math.min(at[0] ?? 0, end - LEAST_SPAN); // of a young node, no time before it was there
    return [Math.max(end - this.#span, begun), end];
  }

  #point(index) {
    const at = this.#history?.at ?? [];
    for (const card of this.#cards) card.point(index);
    setText(this.#moment, index == null || at[index] == null ? "" : `at ${clock(at[index])}`);
  }
}

class Card {
  #definition;
  #range;
  #onPoint;
  #values = [];
  #figures;
  #canvas = make("div", { class: "plot" });
  #words = make("p", { class: "plot-words" });
  #columns = [[], []];
  #history = null;
  #plot = null;

  constructor(definition, range, onPoint) {
    this.#definition = definition;
    this.#range = range;
    this.#onPoint = onPoint;
    this.#figures = definition.series.map(() => make("b", {}, UNKNOWN));
    const legend = make(
      "ul",
      { class: "legend" },
      ...definition.series.map((series, index) =>
        make(
          "li",
          {},
          make("i", { class: `swatch${series.dash ? " dashed" : ""}`, "data-colour": series.colour.slice(2) }),
          make("span", {}, series.label),
          this.#figures[index],
        ),
      ),
    );
    this.#canvas.append(this.#words);
    this.element = make("article", { class: "card plot-card" }, make("h3", {}, definition.title), legend, this.#canvas);
    new ResizeObserver(() => this.#fit()).observe(this.#canvas);
  }

  get cursor() {
    return this.#plot?.cursor.idx ?? null;
  }

  show(history) {
    this.#history = history;
    this.#values = this.#definition.series.map(({ name }) => history.series[name] ?? []);
    const drawn = this.#definition.isStacked ? stacked(this.#values) : this.#values;
    const columns = this.#definition.scale.distr === 3 ? drawn.map(positive) : drawn;
    this.#columns = [history.at, ...columns.toReversed()];
    this.#plot.setData(this.#columns);
    const isEmpty = this.#values.every((values) => values.every((value) => value == null));
    setText(this.#words, isEmpty ? "Nothing to show yet" : "");
  }

  /** Writes the figures of one point into the legend; null for the latest. */
  point(index) {
    const at = index ?? (this.#history?.at.length ?? 0) - 1;
    this.#definition.series.forEach((series, place) => {
      setText(this.#figures[place], (series.format ?? this.#definition.format)(this.#values[place]?.[at] ?? null));
    });
  }

  draw() {
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#options(), this.#columns.length > 2 ? this.#columns : this.#nothing(), this.#canvas);
  }

  #nothing() {
    return [[], ...this.#definition.series.map(() => [])];
  }

  #fit() {
    const width = this.#canvas.clientWidth;
    if (width > 0 && width !== this.#plot?.width) this.#plot?.setSize({ width, height: HEIGHT });
  }

  #options() {
    const { scale, right, axis, format, series, isStacked } = this.#definition;
    const upwards = series.toReversed(); // the first is drawn last, over the others
    const scales = { x: { time: true, range: this.#range }, y: { auto: true, ...scale } };
    const axes = [timeAxis(), valueAxis(format, axis)];
    if (right) {
      scales.right = { auto: true, ...right.scale };
      axes.push({
        ...valueAxis(right.format, { incrs: DECIMAL_STEPS }),
        scale: "right",
        side: 1,
        size: 34,
        grid: { show: false },
      });
    }
    return {
      width: Math.max(this.#canvas.clientWidth, 200),
      height: HEIGHT,
      padding: [8, right ? 0 : 8, 0, 0],
      scales,
      axes,
      series: [{}, ...upwards.map(line)],
      bands: isStacked ? upwards.slice(0, -1).map(band) : [],
      legend: { show: false },
      cursor: { sync: { key: "s3proxy" }, drag: { x: false, y: false }, y: false, points: { size: 6 } },
      hooks: { setCursor: [(plot) => this.#onPoint(plot.cursor.idx)] },
    };
  }
}

function line(series) {
  const colour = colourOf(series.colour);
  const common = { scale: series.isRight ? "right" : "y", stroke: colour, points: { show: false } };
  if (series.isRight) return { ...common, width: 0, fill: colour, paths: uPlot.paths.bars({ size: [1, 6, 2] }) };
  const fill = series.fill && colourOf(series.colour, series.fill);
  return { ...common, width: 1.25, dash: series.dash, fill };
}

/** Between the line of one source and that of the source below it. */
const band = (series, index) => ({ series: [index + 1, index + 2], fill: colourOf(series.colour, STACK_FILL) });

const font = () => `11px ${getComputedStyle(document.body).fontFamily}`;

/** Where a time would be cut off, or meet the words of the other axis. */
function isNearEdge(plot, at) {
  const place = plot.valToPos(at, "x");
  return place < 24 || place > plot.over.clientWidth - 24;
}

function timeAxis() {
  return {
    stroke: colourOf("--muted"),
    font: font(),
    size: 20,
    gap: 2,
    space: 64,
    incrs: TIME_STEPS,
    grid: { show: false },
    ticks: { show: false },
    values: (plot, splits, axis, space, step) =>
      splits.map((split) => (isNearEdge(plot, split) ? "" : clock(split, step < 60))),
  };
}

function valueAxis(format, more) {
  return {
    stroke: colourOf("--muted"),
    font: font(),
    size: 66,
    gap: 6,
    space: 32,
    ticks: { show: false },
    values: (plot, splits) => splits.map((split) => (split == null ? "" : format(split))),
    ...more,
    grid: { stroke: colourOf("--line"), width: 1, ...more?.grid },
  };
}

/** Each column on top of those before it; unknown only where all are. */
function stacked(columns) {
  const length = columns[0]?.length ?? 0;
  const sums = new Array(length).fill(0);
  const isKnown = (at) => columns.some((column) => column[at] != null);
  return columns.map((column) =>
    sums.map((_, at) => {
      sums[at] += column[at] ?? 0;
      return isKnown(at) ? sums[at] : null;
    }),
  );
}

/** Without what a logarithmic axis has no place for. */
const positive = (column) => column.map((value) => (value > 0 ? value : null));
