// The page as a whole: asks the node again and again, and shows what it says.

import { Browser } from "./browser.js";
import { byId, setFigure, setText } from "./dom.js";
import {
  adoptTokenOfAddress,
  ask,
  hasToken,
  keepToken,
  NoAnswerError,
  RefusedError,
  TokenRefusedError,
} from "./node.js";
import { Plots } from "./plots.js";
import * as tables from "./tables.js";
import {
  bytes,
  clock,
  count,
  countParts,
  duration,
  exact,
  rateParts,
  ratio,
  ratioParts,
  seconds,
  secondsParts,
  UNKNOWN,
  visible,
} from "./units.js";

const STATUS_MILLISECONDS = 2_000;
const HISTORY_MILLISECONDS = 5_000; // there is no new point sooner

const now = () => Date.now() / 1000;

const plots = new Plots(byId("plots"), byId("moment"));
const browser = new Browser({ path: byId("path"), listing: byId("listing"), blocks: byId("blocks") }, askForToken);

let status = null;
let heardAt = null;
const failures = new Map(); // by what was asked for, in words

// Asking

/** Asks for `name` for ever, one answer after the other; a page that nobody sees asks nothing. */
async function follow(name, show, pauseMilliseconds) {
  for (;;) {
    await visiblePage();
    try {
      show(await ask(name));
      heard(name);
    } catch (error) {
      if (error instanceof TokenRefusedError) {
        await askForToken();
        continue;
      }
      failed(name, error);
    }
    await new Promise((resume) => {
      setTimeout(resume, pauseMilliseconds);
    });
  }
}

function visiblePage() {
  if (!document.hidden) return null;
  return new Promise((resume) => {
    document.addEventListener("visibilitychange", resume, { once: true });
  });
}

function heard(name) {
  if (failures.delete(name)) browser.recover();
  if (name === "status") heardAt = now();
  showAge();
}

function failed(name, error) {
  failures.set(name, failureInWords(error));
  showAge();
}

function failureInWords(error) {
  if (error instanceof RefusedError) return `The node refuses: ${visible(error.message)}.`;
  if (error instanceof NoAnswerError) return "The node does not answer.";
  console.error(error);
  return "This page does not understand the node; it may be of another version, so load it anew.";
}

/** Says how old the values are, and greys them when the node is gone. */
function showAge() {
  const age = heardAt === null ? null : now() - heardAt;
  const isStale = failures.size > 0;
  document.body.classList.toggle("is-stale", isStale);
  const trouble = byId("trouble");
  trouble.hidden = !(isStale || status?.node.is_ready === false);
  setText(byId("age"), age === null ? "no answer yet" : age < 3 ? "live" : `${duration(age)} old`);
  if (isStale) {
    const last =
      heardAt === null ? "It has not answered since this page was opened." : `What you see is from ${clock(heardAt)}.`;
    setText(trouble, `${[...new Set(failures.values())].join(" ")} ${last}`);
    showReadiness("No answer", "bad");
  } else if (status) {
    const { is_ready: isReady, reason } = status.node;
    setText(
      trouble,
      `Not ready, so a load balancer sends nothing here: ${visible(reason || "the node gives no reason")}.`,
    );
    showReadiness(isReady ? "Ready" : "Not ready", isReady ? "good" : "bad");
  }
}

function showReadiness(words, kind) {
  const pill = byId("readiness");
  setText(pill, words);
  pill.dataset.kind = kind;
}

// The token

let tokenGiven = null;

/** Shows the form, once for all who ask; done when a token was given. */
function askForToken() {
  if (tokenGiven !== null) return tokenGiven;
  const dialog = byId("token-dialog");
  byId("token-refused").hidden = !hasToken();
  byId("token").value = "";
  dialog.showModal();
  tokenGiven = new Promise((resume) => {
    byId("token-form").addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        keepToken(byId("token").value);
        tokenGiven = null;
        dialog.close();
        resume();
        browser.recover();
      },
      { once: true },
    );
  });
  return tokenGiven;
}

byId("token-dialog").addEventListener("cancel", (event) => event.preventDefault()); // nothing is to be seen without

// Showing

function showStatus(fresh) {
  const earlier = status && { workers: status.node.workers, elapsed: now() - heardAt };
  status = fresh;
  showNode(fresh.node);
  showTotals(fresh);
  tables.showTiers(byId("tiers"), fresh.cache);
  tables.showStores(byId("stores"), fresh.stores, now());
  tables.showWorkers(byId("workers"), fresh.node, earlier);
  tables.showBusiest(byId("busiest"), fresh.busiest);
  tables.showSlowest(byId("slowest"), fresh.slowest);
  tables.showErrors(byId("errors"), fresh.errors);
  tables.showOperations(byId("operations"), fresh.requests.by_operation);
}

function showNode(node) {
  setText(byId("host"), visible(node.host));
  document.title = `${visible(node.host)} – s3proxy`;
  setText(byId("version"), node.version);
  setText(byId("uptime"), node.started_at == null ? UNKNOWN : duration(now() - node.started_at));
  setText(
    byId("workers-ready"),
    `${node.workers.filter((worker) => worker.is_ready).length} of ${node.workers.length} ready`,
  );
  setText(byId("listen"), node.listen.join(", ") || UNKNOWN);
}

/** What the latest figures do not say: totals since the start. */
function showTotals({ requests, bytes: served, cache, connections }) {
  setText(byId("stat-throughput-note"), `${bytes(served.sent)} out, ${bytes(served.received)} in`);
  setText(byId("stat-requests-note"), `${exact(requests.in_flight)} in flight, ${count(requests.total)} in all`);
  setText(byId("stat-hits-note"), hitsInWords(cache));
  setFigure(byId("stat-connections"), countParts(connections.open));
  setText(byId("stat-connections-note"), connectionsInWords(connections));
  setFigure(byId("stat-errors"), countParts(requests.errors_5xx));
  byId("stat-errors").classList.toggle("bad", requests.errors_5xx > 0);
  setText(byId("stat-errors-note"), `and ${exact(requests.errors_4xx)} by clients`);
}

function connectionsInWords({ idle, limit, refused }) {
  const words = [`${exact(idle)} idle`, limit ? `limit ${exact(limit)}` : "no limit"];
  if (refused) words.push(`${exact(refused)} refused`);
  return words.join(", ");
}

function hitsInWords(cache) {
  if (!cache?.is_on) return "no cache on this node";
  const reads = cache.hits + cache.misses;
  return reads ? `${ratio(cache.hits / reads)} of requests in all` : "nothing read yet";
}

function showHistory(history) {
  plots.show(history);
  const latest = (name) => history.series[name]?.at(-1) ?? null;
  const sources = ["memory", "disk", "store", "local"].map((source) => latest(`bytes_${source}`));
  const throughput = sources.every((value) => value === null)
    ? null
    : sources.reduce((sum, value) => sum + (value ?? 0), 0);
  setFigure(byId("stat-throughput"), rateParts(throughput));
  const [number, unit] = countParts(latest("requests"));
  setFigure(byId("stat-requests"), [number, number === UNKNOWN ? "" : `${unit}/s`]);
  setFigure(byId("stat-hits"), ratioParts(latest("hit_byte_ratio")));
  setFigure(byId("stat-latency"), secondsParts(latest("latency_p99")));
  setText(
    byId("stat-latency-note"),
    `p50 ${seconds(latest("latency_p50"))}, TTFB ${seconds(latest("first_byte_p50"))}`,
  );
}

// The theme and the time shown

const THEMES = ["auto", "light", "dark"];

function showTheme() {
  const chosen = document.documentElement.dataset.theme ?? "auto";
  setText(byId("theme"), chosen[0].toUpperCase() + chosen.slice(1));
  byId("theme").setAttribute("aria-label", `Colours: ${chosen}`);
  plots.redraw();
  browser.redraw();
}

byId("theme").addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % THEMES.length];
  localStorage.setItem("s3proxy-theme", next);
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  showTheme();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);

byId("spans").addEventListener("click", ({ target }) => {
  if (target.dataset.seconds === undefined) return;
  for (const button of byId("spans").children) button.setAttribute("aria-pressed", button === target);
  plots.span = Number(target.dataset.seconds);
});

byId("refresh").addEventListener("click", () => browser.refresh());

adoptTokenOfAddress();
showTheme();
setInterval(showAge, 1_000);
follow("status", showStatus, STATUS_MILLISECONDS);
follow("history", showHistory, HISTORY_MILLISECONDS);
browser.open();
