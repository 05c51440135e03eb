// What stands below the plots: tiers, stores, workers, and the tables of objects, requests and errors.

import { addressOf } from "./address.js";
import { empty, fill, make, table } from "./dom.js";
import { bytes, clock, count, duration, exact, moment, plural, ratio, seconds, UNKNOWN, visible } from "./units.js";

const SHADES = 5;

/** A colour that a tier has everywhere on the page. */
export const tierColour = (name) => (name === "memory" ? "memory" : "disk");

export function showTiers(region, cache) {
  if (!cache?.is_on) return fill(region, empty("This node has no cache: every byte comes from its stores."));
  fill(region, ...cache.tiers.map(tier));
}

function tier({ name, used_bytes: used, size_bytes: size, blocks, is_working: isWorking, reason, buckets }) {
  const shown = [...buckets].sort((one, other) => other.bytes - one.bytes).slice(0, SHADES);
  const rest = used - shown.reduce((sum, bucket) => sum + bucket.bytes, 0);
  const parts = shown.map((bucket, shade) => ({ label: bucket.bucket, bytes: bucket.bytes, shade }));
  if (rest > size / 1000) parts.push({ label: null, bytes: rest, shade: SHADES });
  return make(
    "section",
    { class: "tier", "data-colour": tierColour(name) },
    make(
      "div",
      { class: "tier-head" },
      make("h4", {}, name === "memory" ? "Memory" : name === "disk" ? "Disk" : visible(name)),
      make("span", {}, make("b", {}, bytes(used)), ` of ${bytes(size)}`),
      make(
        "span",
        { class: "note" },
        [ratio(size ? used / size : null), blocks == null ? null : plural(blocks, "block")].filter(Boolean).join(", "),
      ),
    ),
    isWorking ? null : make("p", { class: "bad" }, `Not working${reason ? ` (${visible(reason)})` : ""}: reads go around it until it can be used again.`),
    make(
      "div",
      { class: "bar", role: "img", "aria-label": `${bytes(used)} of ${bytes(size)} used` },
      ...parts.map((part) => segment(part, size)),
    ),
    buckets.length || rest > 0
      ? make("ul", { class: "shares" }, ...parts.map((part) => share(part)))
      : empty("Nothing in it yet."),
  );
}

function segment({ label, bytes: amount, shade }, size) {
  const element = make("i", {
    "data-shade": shade,
    title: `${label === null ? "other" : visible(label)}: ${bytes(amount)}`,
  });
  element.style.width = `${size ? Math.min(100, (100 * amount) / size) : 0}%`;
  return element;
}

function share({ label, bytes: amount, shade }) {
  const name =
    label === null
      ? make("span", { class: "note" }, "other")
      : make("a", { class: "name", href: addressOf({ bucket: label }) }, visible(label));
  return make("li", {}, make("i", { class: "swatch", "data-shade": shade }), name, make("b", {}, bytes(amount)));
}

export function showStores(region, stores, now) {
  if (!stores.length) return fill(region, empty("No store is known yet."));
  fill(region, ...stores.map((each) => store(each, now)));
}

function store({ name, kind, endpoint, reason, checked_at: checkedAt, latency_seconds: latency, ...store }, now) {
  const mark = store.is_reachable ? "state good" : store.is_reachable === null ? "state" : "state bad";
  const head = [make("h4", {}, visible(name)), make("span", { class: mark }, reach(store))];
  const figures = [
    pair("Requests", exact(store.requests)),
    pair("Errors", exact(store.errors)),
    pair("p50", seconds(latency?.p50)),
    pair("p99", seconds(latency?.p99)),
  ];
  const place = visible(endpoint || UNKNOWN);
  return make(
    "section",
    { class: "store" },
    make("div", { class: "tier-head" }, ...head),
    make("p", { class: "note ellipsis", title: place }, `${kind} at ${place}`),
    reason ? make("p", { class: "bad" }, visible(reason)) : null,
    make("dl", { class: "pairs" }, ...figures),
    checkedAt == null ? null : make("p", { class: "note" }, `Asked ${duration(now - checkedAt)} ago`),
  );
}

const reach = ({ is_reachable: isReachable }) =>
  isReachable ? "Reachable" : isReachable === null ? "Not asked yet" : "Unreachable";
const pair = (label, value) => make("div", {}, make("dt", {}, label), make("dd", {}, value));

/** `earlier` is the status before this one, for what the processors did between the two. */
export function showWorkers(region, { workers, lost_processes: lost }, earlier) {
  if (!workers.length) return fill(region, empty("No worker is running."));
  fill(
    region,
    table(
      [
        { title: "Worker", cell: (worker) => `${worker.number}` },
        {
          title: "State",
          cell: (worker) =>
            make(
              "span",
              { class: `state ${worker.is_ready ? "good" : "bad"}` },
              worker.is_ready ? "Ready" : "Not ready",
            ),
        },
        { title: "CPU", number: true, cell: (worker) => load(worker, earlier) },
        { title: "Memory", number: true, cell: (worker) => bytes(worker.rss_bytes) },
        { title: "Files", number: true, cell: (worker) => exact(worker.descriptors) },
        { title: "Process", number: true, cell: (worker) => (worker.pid == null ? UNKNOWN : `${worker.pid}`) },
      ],
      workers,
    ),
    ...lostInWords(lost),
  );
}

/** Processes that were replaced because something is wrong, if there were any. */
function lostInWords({ died, hung } = {}) {
  const words = [died && `${exact(died)} died`, hung && `${exact(hung)} hung`].filter(Boolean).join(", ");
  return words ? [make("p", { class: "warn" }, `Since the start ${words}; the log says where.`)] : [];
}

function load(worker, earlier) {
  const before = earlier?.workers.find(({ pid }) => pid === worker.pid);
  if (before?.cpu_seconds == null || worker.cpu_seconds == null || earlier.elapsed <= 0) return UNKNOWN;
  return `${Math.max(0, Math.round((100 * (worker.cpu_seconds - before.cpu_seconds)) / earlier.elapsed))}\u202f%`;
}

const FULL_NAME = ({ bucket, key }) => `${visible(bucket ?? "")}/${visible(key ?? "")}`;

function objectName(row) {
  if (!row.bucket) return make("span", { class: "note" }, UNKNOWN);
  const name = [make("span", { class: "bucket" }, `${visible(row.bucket)}/`), make("bdi", {}, visible(row.key ?? ""))];
  const target = row.key ? addressOf(row) : addressOf({ bucket: row.bucket });
  return make("a", { class: "name ellipsis", href: target, title: FULL_NAME(row), "data-focus": target }, ...name);
}

export function showBusiest(region, rows) {
  if (!rows.length) return fill(region, empty("No object has been asked for yet."));
  const most = Math.max(...rows.map((row) => row.bytes), 1);
  fill(
    region,
    table(
      [
        { title: "Object", wide: true, cell: objectName },
        { title: "Requests", number: true, cell: (row) => count(row.requests) },
        { title: "Bytes", number: true, cell: (row) => meter(row.bytes, most) },
      ],
      rows,
    ),
  );
}

function meter(amount, most) {
  const bar = make("i", { class: "meter-bar" });
  bar.style.width = `${(100 * amount) / most}%`;
  return make("span", { class: "meter" }, bytes(amount), make("span", { class: "meter-track" }, bar));
}

export function showSlowest(region, rows) {
  if (!rows.length) return fill(region, empty("No request has been answered in the last hour."));
  fill(
    region,
    table(
      [
        { title: "At", cell: (row) => make("time", { title: moment(row.at) }, clock(row.at)) },
        {
          title: "Request",
          wide: true,
          cell: (row) =>
            make(
              "div",
              { class: "two-lines" },
              objectName(row),
              make("p", { class: "note ellipsis" }, requestInWords(row)),
            ),
        },
        { title: "First byte", number: true, cell: (row) => seconds(row.first_byte_seconds) },
        { title: "Took", number: true, cell: (row) => make("b", {}, seconds(row.seconds)) },
      ],
      rows,
    ),
  );
}

function requestInWords({ operation, status, bytes: amount, client }) {
  return [operation, status, amount == null ? null : bytes(amount), client && `to ${visible(client)}`]
    .filter(Boolean)
    .join(", ");
}

export function showErrors(region, rows) {
  if (!rows.length) return fill(region, empty("Nothing has gone wrong. Keys that do not exist are not listed here."));
  const columns = [
    { title: "At", cell: (row) => make("time", { title: moment(row.at) }, clock(row.at)) },
    { title: "What happened", wide: true, cell: failure },
    { title: "Status", number: true, cell: (row) => `${row.status ?? UNKNOWN}` },
  ];
  fill(region, table(columns, rows));
}

/** A request that failed, or something in the node itself, which has no code. */
function failure({ code, status, message, operation, resource, request_id: request }) {
  const kind = status === null || status >= 500 ? "bad" : "warn";
  const words = make("p", {}, make("b", { class: kind }, visible(code ?? "The node")), ` ${visible(message)}`);
  if (!operation) return words;
  const asked = `${visible(operation)} ${visible(resource ?? "")}`;
  const title = request ? `${asked} (request ${visible(request)})` : asked;
  return make("div", { class: "two-lines" }, words, make("p", { class: "note ellipsis", title }, asked));
}

export function showOperations(region, byOperation) {
  const rows = Object.entries(byOperation ?? {}).sort(([, one], [, other]) => other.count - one.count);
  if (!rows.length) return fill(region, empty("No request yet."));
  fill(
    region,
    table(
      [
        { title: "Operation", cell: ([name]) => name },
        { title: "Requests", number: true, cell: ([, each]) => count(each.count) },
        {
          title: "Errors",
          number: true,
          cell: ([, each]) => (each.errors ? make("span", { class: "warn" }, count(each.errors)) : "0"),
        },
        { title: "Sent", number: true, cell: ([, each]) => bytes(each.bytes_sent) },
        { title: "Received", number: true, cell: ([, each]) => bytes(each.bytes_received) },
        { title: "p50", number: true, cell: ([, each]) => seconds(each.latency_seconds?.p50) },
        { title: "p99", number: true, cell: ([, each]) => seconds(each.latency_seconds?.p99) },
      ],
      rows,
    ),
  );
}
