// The browser of buckets: buckets, prefixes, objects, and for an object the map of its blocks.

import { addressOf, placeOf } from "./address.js";
import { BlockMap } from "./blockmap.js";
import { empty, fill, make, table } from "./dom.js";
import { ask, NoAnswerError, TokenRefusedError } from "./node.js";
import { bytes, moment, ratio, visible } from "./units.js";

const REFRESH_MILLISECONDS = 5_000;

export class Browser {
  #path;
  #listing;
  #map;
  #onRefused;
  #place = null;
  #pages = [];
  #visit = 0;

  constructor({ path, listing, blocks }, onRefused) {
    this.#path = path;
    this.#listing = listing;
    this.#map = new BlockMap(blocks);
    this.#onRefused = onRefused;
    addEventListener("hashchange", () => this.open());
    setInterval(() => this.#refreshMap(), REFRESH_MILLISECONDS);
  }

  /** Shows what the page's address names. */
  async open() {
    const before = this.#place;
    this.#place = placeOf(location.hash);
    this.#showPath();
    const isSameFolder = before?.bucket === this.#place.bucket && before?.prefix === this.#place.prefix;
    this.#map.choose(this.#place.key ? this.#place : null);
    await Promise.all([isSameFolder ? this.#showPages() : this.#list(), this.#refreshMap()]);
  }

  /** Asks again for all that shows. Listings cost the store a request, so it is not done by itself. */
  refresh() {
    this.#list();
    this.#refreshMap();
  }

  /** Asks again for a listing that could not be had. */
  recover() {
    if (this.#pages[0]?.reason !== undefined) this.#list();
  }

  /** Draws anew in the colours of the theme. */
  redraw() {
    this.#map.redraw();
  }

  #showPath() {
    const { bucket, prefix } = this.#place;
    const crumbs = [make("a", { href: "#" }, "Buckets")];
    if (bucket) crumbs.push(make("a", { href: addressOf({ bucket }) }, visible(bucket)));
    const names = prefix.split("/").slice(0, prefix.endsWith("/") ? -1 : undefined);
    let folder = "";
    for (const name of prefix ? names : []) {
      folder += `${name}/`;
      crumbs.push(
        make("a", { href: addressOf({ bucket, prefix: folder }) }, make("bdi", {}, visible(name) || "(empty)")),
      );
    }
    crumbs.at(-1).setAttribute("aria-current", "page");
    this.#path.replaceChildren(...crumbs);
  }

  async #list() {
    const visit = ++this.#visit;
    this.#pages = [];
    this.#listing.classList.add("is-waiting");
    const page = await this.#asked(this.#place.bucket ? "objects" : "buckets", this.#query(null));
    if (visit !== this.#visit) return; // somebody has gone elsewhere meanwhile
    this.#listing.classList.remove("is-waiting");
    this.#listing.scrollTo({ top: 0 });
    this.#pages = [page];
    this.#showPages();
  }

  async #more() {
    const visit = this.#visit;
    const page = await this.#asked("objects", this.#query(this.#pages.at(-1).after));
    if (visit !== this.#visit) return;
    this.#pages.push(page);
    this.#showPages();
  }

  #query(after) {
    const { bucket, prefix } = this.#place;
    if (!bucket) return {};
    return after === null ? { bucket, prefix } : { bucket, prefix, after };
  }

  /** The answer, or { reason, isGone } in words. */
  async #asked(name, query) {
    try {
      return await ask(name, query);
    } catch (error) {
      if (error instanceof TokenRefusedError) this.#onRefused();
      const reason = error.message || "The node asks for a token.";
      return { reason, isGone: error instanceof NoAnswerError };
    }
  }

  #showPages() {
    const [first] = this.#pages;
    if (first === undefined) return;
    const failed = this.#pages.find((page) => page.reason !== undefined);
    if (failed === first) fill(this.#listing, empty(visible(failed.reason)));
    else if (this.#place.bucket) this.#showObjects(failed);
    else this.#showBuckets(first);
  }

  #showBuckets({ buckets, is_truncated: isTruncated }) {
    if (!buckets.length) return fill(this.#listing, empty("No bucket yet."));
    const all = table(
      [
        { title: "Bucket", wide: true, cell: ({ name }) => link(addressOf({ bucket: name }), visible(name)) },
        {
          title: "Reads",
          cell: (bucket) =>
            bucket.is_cached ? "through the cache" : make("span", { class: "note" }, "straight from the store"),
        },
      ],
      buckets,
    );
    fill(this.#listing, all, ...(isTruncated ? [empty("There are more buckets than are listed here.")] : []));
  }

  #showObjects(failed) {
    const pages = this.#pages.filter((page) => page.reason === undefined);
    const { bucket, prefix, key } = this.#place;
    const rows = pages.flatMap((page) => [...page.directories.map((directory) => ({ directory })), ...page.objects]);
    if (!rows.length) return fill(this.#listing, empty(prefix ? "No object begins so." : "This bucket is empty."));
    const short = (name) => visible(name.slice(prefix.length)) || "(this name)";
    const content = [
      table(
        [
          {
            title: "Name",
            wide: true,
            cell: (row) =>
              row.directory
                ? link(addressOf({ bucket, prefix: row.directory }), short(row.directory), "directory")
                : link(addressOf({ bucket, prefix, key: row.key }), short(row.key)),
          },
          { title: "In the cache", cell: (row) => (row.directory ? "" : cachedShare(row)) },
          { title: "Size", number: true, cell: (row) => (row.directory ? "" : bytes(row.size)) },
          {
            title: "Changed",
            number: true,
            cell: (row) => (row.directory ? "" : make("time", { class: "note" }, moment(row.modified_at))),
          },
        ],
        rows,
        (row) => ({ "aria-selected": row.key !== undefined && row.key === key ? "true" : null }),
      ),
    ];
    if (failed) content.push(empty(visible(failed.reason)));
    if (pages.at(-1).after !== null)
      content.push(make("button", { class: "button more", type: "button", click: () => this.#more() }, "Show more"));
    fill(this.#listing, ...content);
  }

  async #refreshMap() {
    const place = this.#place;
    if (!place?.key || document.hidden) return;
    const answer = await this.#asked("blocks", { bucket: place.bucket, key: place.key });
    if (place === this.#place) this.#map.show(answer);
  }
}

const link = (href, text, kind = "") =>
  make("a", { class: `name ellipsis ${kind}`, href, title: text, "data-focus": href }, make("bdi", {}, text));

function cachedShare({ size, memory_bytes: memory, disk_bytes: disk }) {
  if (memory == null || disk == null)
    return make("span", { class: "note", title: "too many blocks to look for; choose the object" }, "not counted");
  const share = (amount) => (size ? Math.min(1, amount / size) : 0);
  const part = (colour, amount) => {
    const element = make("i", { "data-colour": colour });
    element.style.width = `${100 * share(amount)}%`;
    return element;
  };
  const most = Math.min(size, memory + disk);
  const words = most ? `${bytes(memory)} in memory, ${bytes(disk)} on disk` : "nothing in the cache";
  return make(
    "span",
    { class: "share", title: words },
    make(
      "span",
      { class: "share-track" },
      part("memory", memory),
      part("disk", Math.min(disk, size - Math.min(size, memory))),
    ),
    make("span", { class: "share-figure" }, most ? ratio(share(most)) : "–"),
  );
}
