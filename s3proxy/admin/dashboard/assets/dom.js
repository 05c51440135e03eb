// Elements made without markup. Text from the node goes through textContent and setAttribute only.

export const byId = (id) => document.getElementById(id);

/**
 * make("td", { class: "number", title: "..." }, "text", element, ...). A null attribute or child is left out.
 * Listeners are given as functions under the event's name: { click: () => ... }.
 */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (typeof value === "function") element.addEventListener(key, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Sets text only where it differs, so that selections and screen readers are left alone. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A figure with its unit set small. */
export function setFigure(element, [number, unit]) {
  if (element.dataset.shown === `${number} ${unit}`) return;
  element.dataset.shown = `${number} ${unit}`;
  element.replaceChildren(number, ...(unit ? [make("small", {}, unit)] : []));
}

/** Replaces what a scrolling region holds, keeps where it stands, and does nothing when nothing changed. */
export function fill(region, ...children) {
  const fresh = document.createElement(region.nodeName);
  fresh.append(...children);
  if (sameContent(region, fresh)) return;
  const focused = region.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  const { scrollTop, scrollLeft } = region;
  region.replaceChildren(...fresh.childNodes);
  region.scrollTo({ top: scrollTop, left: scrollLeft });
  if (focused != null) {
    const again = [...region.querySelectorAll("[data-focus]")].find((each) => each.dataset.focus === focused);
    again?.focus({ preventScroll: true });
  }
}

function sameContent(one, other) {
  return (
    one.childNodes.length === other.childNodes.length &&
    [...one.childNodes].every((child, index) => child.isEqualNode(other.childNodes[index]))
  );
}

export const empty = (words) => make("p", { class: "empty" }, words);

/**
 * A table. Columns are { title, number, wide, cell(row) -> text or element }.
 */
export function table(columns, rows, attributesOf = () => ({})) {
  const kind = (column) => [column.number && "number", column.wide && "wide"].filter(Boolean).join(" ") || null;
  const head = make(
    "tr",
    {},
    ...columns.map((column) => make("th", { scope: "col", class: kind(column) }, column.title)),
  );
  const body = rows.map((row) =>
    make("tr", attributesOf(row), ...columns.map((column) => make("td", { class: kind(column) }, column.cell(row)))),
  );
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}
