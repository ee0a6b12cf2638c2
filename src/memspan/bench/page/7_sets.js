// A section for each set: its card, every system's figures, halves, categories, cost. Then the files, and the start.
const COSTS = [
  ["write_ms_p50", "write p50 [ms]", size],
  ["write_ms_p95", "p95", size],
  ["write_ms_p99", "p99", size],
  ["read_ms_p50", "read p50 [ms]", size],
  ["read_ms_p95", "p95", size],
  ["read_ms_p99", "p99", size],
  ["turns", "turns", whole],
  ["turns_per_s", "turns / s", whole],
  ["write_s", "write, all [s]", size],
  ["bytes_on_disk", "on disk", bytes],
  ["peak_rss_mb", "peak memory [MB]", whole],
  ["tokens_out", "tokens out", size],
  ["llm_calls", "model calls", whole],
];

function eachSet() {
  const all = (open) => () => {
    for (const one of document.querySelectorAll("#sets > details")) one.open = open;
  };
  return h(
    "section",
    { id: "sets" },
    h("h2", {}, "Each set"),
    h(
      "p",
      {},
      h("button", { type: "button", on: { click: all(true) } }, "open all"),
      " ",
      h("button", { type: "button", on: { click: all(false) } }, "close all"),
    ),
    SETS.map((set, n) => {
      const rows = SYSTEMS.map((system) => ({ system, row: rowOf(set, system) }));
      const ran = rows.filter((one) => one.row && Object.keys(one.row.metrics || {}).length);
      return h(
        "details",
        { id: `set-${n}`, class: "set" },
        h(
          "summary",
          {},
          h("h3", {}, set.set),
          h(
            "span",
            {},
            ` ${set.headline}; ${whole(none(set.scored) ? set.questions : set.scored)} questions; `,
            `${ran.length} of ${SYSTEMS.length} systems`,
            set.made && "; made by us",
          ),
        ),
        card(set),
        figures(set, rows, n),
        halves(set, ran, n),
        categories(set, ran, n),
        ladder(set, ran, n),
        costs(
          set,
          rows.filter((one) => one.row && Object.keys(one.row.cost || {}).length),
          n,
        ),
      );
    }),
  );
}

function card(set) {
  const { title, licence, source } = set.card || {};
  const signal = (DATA.signal || []).filter((one) => one.set === set.set);
  const facts = [
    ["Title", title],
    ["Licence", licence],
    [
      "Source",
      /^https?:\/\//.test(source || "") ? h("a", { href: source, rel: "noopener noreferrer" }, source) : source,
    ],
    ["Protocol", [set.protocol, set.level && `scored by ${set.level}`].filter(Boolean).join("; ")],
    ["Family", set.family || "none: not in the mean over families"],
    ["Size", `${whole(set.cases)} cases, ${whole(set.units)} units, ${whole(set.questions)} questions`],
    [
      "Signal to noise",
      signal
        .map(
          (one) =>
            `${one.metric} ${none(one.snr) ? "–" : one.snr.toFixed(1)}` +
            (informational(one) ? ": informational only" : ""),
        )
        .join(", "),
    ],
  ];
  return h(
    "dl",
    { class: "facts" },
    facts.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

const first = {
  label: "system",
  text: true,
  get: (one) => one.system.name,
  cell: (one) => [swatch(one.system.name), " ", one.system.name],
};
const part = (title, box) => [h("h4", {}, title), box];

function figures(set, rows, n) {
  const names = [...new Set(rows.flatMap((one) => Object.keys((one.row || {}).metrics || {})))];
  const order = [set.headline, ...metricsFound().first, ...metricsFound().rest].filter(
    (name, at_, all) => names.includes(name) && all.indexOf(name) === at_,
  );
  const columns = [
    first,
    {
      label: "state",
      text: true,
      get: (one) => (one.row ? one.row.status : "not run"),
      cell: (one) => ({
        class: !one.row ? "absent" : unfinished(one.row) ? "stop" : "",
        kids: [unfinished(one.row) || "done"],
      }),
    },
    ...order.map((name) => ({
      label: name,
      title: WHAT[name],
      get: (one) => (meanOf((one.row || {}).metrics, name) || { mean: null }).mean,
      cell: (one) => ({ kids: withInterval(meanOf((one.row || {}).metrics, name)) }),
    })),
    {
      label: "questions / clusters",
      get: (one) => (one.row || {}).questions,
      cell: (one) => (one.row ? `${whole(one.row.questions)} / ${whole(one.row.clusters)}` : "–"),
    },
  ];
  return part(
    "Figures, with 95 % intervals",
    sortable(`figures-${n}`, { caption: `${set.set}: figures`, columns, groups: [{ rows }] }),
  );
}
const withInterval = (mean) =>
  !mean ? ["–"] : [share(mean.mean), !none(mean.low) && h("small", {}, `${share(mean.low)}–${share(mean.high)}`)];

function halves(set, ran, n) {
  const rows = ran.filter((one) => Object.keys(one.row.halves || {}).length);
  if (!rows.length) return null;
  const names = [...new Set([set.headline, "T1000"])],
    parts = [
      ...new Set(
        rows.flatMap((one) => Object.keys(one.row.halves).filter((half) => Object.keys(one.row.halves[half]).length)),
      ),
    ];
  const columns = [
    first,
    ...names.flatMap((name) =>
      parts.map((half) => {
        const value = (one) => (meanOf((one.row.halves || {})[half], name) || { mean: null }).mean;
        return { label: `${name}, ${half}`, get: value, cell: (one) => share(value(one)) };
      }),
    ),
  ];
  return part(
    "Halves: nothing was tuned on test",
    sortable(`halves-${n}`, { caption: `${set.set}: halves`, columns, groups: [{ rows }] }),
  );
}

function categories(set, ran, n) {
  const names = [...new Set(ran.flatMap((one) => Object.keys(one.row.by_category || {})))];
  if (names.length < 2) return null;
  const asked = (name) =>
    Math.max(...ran.map((one) => ((one.row.by_category || {})[name] || { questions: 0 }).questions));
  const mean = (one, name) => meanOf(((one.row.by_category || {})[name] || {}).metrics, set.headline);
  const columns = [
    first,
    ...names.map((name) => ({
      label: `${name} (${whole(asked(name))})`,
      get: (one) => (mean(one, name) || { mean: null }).mean,
      cell: (one) => ({ kids: withInterval(mean(one, name)) }),
    })),
  ];
  return part(
    `By category: ${set.headline} (questions)`,
    sortable(`categories-${n}`, { caption: `${set.set}: categories`, columns, groups: [{ rows: ran }] }),
  );
}

function ladder(set, ran, n) {
  const steps = [...new Set(ran.flatMap((one) => Object.keys(one.row.by_rung || {})))].sort((a, b) => a - b);
  if (!steps.length) return null;
  const rung = (one, step) => (one.row.by_rung || {})[step] || {};
  const columns = [
    first,
    ...steps.map((step) => ({
      label: `${set.headline} at ${whole(Number(step))}`,
      get: (one) => (meanOf(rung(one, step).metrics, set.headline) || { mean: null }).mean,
      cell: (one) => ({ kids: withInterval(meanOf(rung(one, step).metrics, set.headline)) }),
    })),
    ...steps.map((step) => ({
      label: `read p50 [ms] at ${whole(Number(step))}`,
      get: (one) => rung(one, step).read_ms_p50,
      cell: (one) => size(rung(one, step).read_ms_p50),
    })),
  ];
  return part(
    "As the memory grows",
    sortable(`ladder-${n}`, { caption: `${set.set}: ladder`, columns, groups: [{ rows: ran }] }),
  );
}

function costs(set, rows, n) {
  if (!rows.length) return null;
  const columns = [
    first,
    ...COSTS.filter(([name]) => rows.some((one) => !none(one.row.cost[name]))).map(([name, label, shown]) => ({
      label,
      title: name,
      get: (one) => one.row.cost[name],
      cell: (one) => shown(one.row.cost[name]),
    })),
  ];
  return part("Cost", sortable(`cost-${n}`, { caption: `${set.set}: cost`, columns, groups: [{ rows }] }));
}

function files() {
  if (!(DATA.files || []).length) return null;
  const columns = [
    { label: "set", text: true, get: (one) => one.set },
    { label: "part", text: true, get: (one) => one.part },
    { label: "file", text: true, get: (one) => one.file },
    {
      label: "version",
      text: true,
      get: (one) => String(one.known),
      cell: (one) => ({ class: one.known ? "" : "stop", kids: [one.known ? "known" : "another than the one we know"] }),
    },
    { label: "sha256", text: true, get: (one) => one.sha256, cell: (one) => h("code", {}, one.sha256) },
  ];
  return h(
    "section",
    { id: "files" },
    h("h2", {}, "Data files"),
    sortable("file-list", { caption: "Data files", columns, groups: [{ rows: DATA.files }] }),
  );
}

function start() {
  const seat = h("div"),
    means = h("div"),
    about = h("p", { class: "lead", id: "about", role: "status" });
  const draw = () => {
    seat.replaceChildren(matrix());
    means.replaceChildren(...families().filter(Boolean));
    const name = STATE.metric;
    about.textContent =
      (WHAT[name] ? `${name}: ${WHAT[name]}. ` : `${name}. `) +
      "The best of a row is bold, of those that finished and are no control; a stronger tint is better. " +
      "Hover, or focus and use the arrow keys, for intervals.";
  };
  header();
  const drawings = plots();
  const change = (changed) => {
    Object.assign(STATE, changed);
    draw();
    drawings.draw();
  };
  draw();
  document
    .getElementById("main")
    .replaceChildren(
      ...[
        h("section", { id: "overview" }, h("h2", {}, "Overview"), choices(change), about, seat, means),
        compared(),
        drawings.section,
        eachSet(),
        files(),
      ].filter(Boolean),
    );
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") {
      target.open = true;
      target.scrollIntoView();
    }
  };
  window.addEventListener("hashchange", open);
  open();
}
start();
