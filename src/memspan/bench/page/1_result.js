// What the page carries, how to find things in it, and how to write them.
const DATA = JSON.parse(document.getElementById("result").textContent);
const { looks: LOOKS, verdicts: VERDICTS } = JSON.parse(document.getElementById("derived").textContent);
const KIND_WORDS = {
  memspan: "memspan",
  baseline: "baselines",
  peer: "peers",
  control: "controls",
  ablation: "ablations",
};
const KINDS = ["memspan", "peer", "baseline", "control", "ablation"].filter((kind) =>
  DATA.systems.some((one) => one.kind === kind),
);
const SYSTEMS = KINDS.flatMap((kind) => DATA.systems.filter((one) => one.kind === kind));
const SETS = DATA.sets;
const BUDGETS = ["T250", "T500", "T1000", "T2000"];

const key = (set, system) => JSON.stringify([set, system]);
const ROWS = new Map(DATA.results.map((row) => [key(row.set, row.system), row]));
const SIGNAL = new Map((DATA.signal || []).map((one) => [key(one.set, one.metric), one]));
const rowOf = (set, system) => ROWS.get(key(set.set, system.name));
const setNamed = (name) => SETS.find((one) => one.set === name);

function meanOf(metrics, name) {
  const found = metrics ? metrics[name] : undefined;
  if (found === undefined || found === null) return null;
  const mean = typeof found === "number" ? { mean: found, low: null, high: null } : found;
  return mean.mean === null || mean.mean === undefined ? null : mean;
}

const figureOf = (set, metric) => (metric === "headline" ? set.headline : metric);
const cellOf = (set, system, metric) => {
  const row = rowOf(set, system);
  return row ? meanOf(row.metrics, figureOf(set, metric)) : null;
};
const informational = (one) => Boolean(one && one.informational); // too noisy to decide anything by
const lowIsGood = (name) => /^(stale|negative)/.test(name);

function metricsFound() {
  const found = new Set(DATA.results.flatMap((row) => Object.keys(row.metrics || {})));
  found.delete("tokens"); // no share; it stands with the costs
  const first = ["T1000", "R@10", "MRR", "nDCG@10", "EM", "F1", "stale", "negative"].filter((name) => found.has(name));
  return {
    first,
    rest: [...found]
      .filter((name) => !first.includes(name))
      .sort((a, b) => a.localeCompare(b, "en", { numeric: true })),
  };
}

// ---- words and numbers -------------------------------------------------------------------------------------------
const none = (value) => value === null || value === undefined;
const share = (value) => (none(value) ? "–" : value.toFixed(3).replace(/^(-?)0\./, "$1."));
const signed = (value) => (none(value) ? "–" : (value < 0 ? "−" : "+") + Math.abs(value * 100).toFixed(1));
const range = (mean) => (none(mean.low) ? "no interval" : `${share(mean.low)} to ${share(mean.high)}`);
const chance = (p) => (none(p) ? "–" : p < 0.001 ? "<.001" : share(p));
const whole = (value) => (none(value) ? "–" : Math.round(value).toLocaleString("en"));
const size = (value) => (none(value) ? "–" : value >= 100 ? whole(value) : Number(value.toPrecision(3)).toString());
function bytes(value) {
  if (none(value)) return "–";
  const step = value >= 1e9 ? [1e9, "GB"] : value >= 1e6 ? [1e6, "MB"] : value >= 1e3 ? [1e3, "kB"] : [1, "B"];
  return `${size(value / step[0])} ${step[1]}`;
}
function lasting(seconds) {
  if (none(seconds)) return "–";
  if (seconds < 120) return `${size(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function unfinished(row) {
  if (!row) return "not run";
  if (row.status === "done") return "";
  const why = row.why ? `: ${row.why}` : "";
  return `${row.status}, ${row.cases} of ${row.of_cases} cases${why}`;
}

// what may be said of ours in a comparison, and how it is toned
const WORDS = ["better", "no difference shown", "worse", "not testable"];
const SAID = new Map((DATA.compared || []).map((pair, n) => [pair, VERDICTS[n]]));
const verdict = (pair) => SAID.get(pair);
const toneOf = (word) => ({ better: "good", worse: "bad" })[word] || "";

const WHAT = {
  headline: "the figure each set is known by",
  T1000: "share of the gold in a context of 1,000 tokens",
  "R@10": "share of the gold among the first 10",
  MRR: "1 / rank of the first gold",
  "nDCG@10": "gain of the first 10, discounted by rank",
  stale: "something outdated ranks above all gold; lower is better",
  negative: "a near miss ranks above all gold; lower is better",
  EM: "exact match of the rule reader's answer",
  F1: "token F1 of the rule reader's answer",
  "EM oracle": "the rule reader on the gold alone: must be 1 on made sets",
  "EM nothing": "the rule reader on nothing: must be 0",
  P1000: "share of the units in a context of 1,000 tokens that are gold",
};
