// The page of `memspan bench kv`: a picture and a table a task, costs, checks, settings.
const DATA = JSON.parse(document.getElementById("result").textContent);
const DERIVED = JSON.parse(document.getElementById("derived").textContent);
const KIND = new Map((DATA.systems || []).map((one) => [one.name, one.kind]));
const KINDS = { baseline: "full cache", codec: "pages in few bits", memspan: "memspan, drops rows", lookup: "memspan, looks up", peer: "kvpress" };

function none(value) {
  return value === null || value === undefined;
}
const share = (value) => (none(value) ? "–" : value.toFixed(3).replace(/^(-?)0\./, "$1."));
const percent = (budget) => `${Number((budget * 100).toPrecision(4))} %`;
const kb = (value) => (none(value) ? "–" : (value / 1000).toLocaleString("en", { maximumFractionDigits: 1 }));
const fixed = (digits) => (value) => (none(value) ? "–" : value.toFixed(digits));
const reach = (mean) => (none(mean) || none(mean.low) ? "no interval" : `${share(mean.low)} to ${share(mean.high)}`);
const signed = (mean) =>
  `${(mean.mean * 100).toFixed(1)} [${none(mean.low) ? "–" : (mean.low * 100).toFixed(1)}, ${none(mean.high) ? "–" : (mean.high * 100).toFixed(1)}]`;

const text = (label, get) => ({ label, get, text: true });
const figure = (label, get, shown = (value) => (none(value) ? "–" : String(value)), title) => ({
  label,
  title,
  get,
  cell: (row) => shown(get(row)),
});
const told = (mean) => ({
  kids: [share(mean && mean.mean)],
  tabindex: -1,
  on: telling(() => [share(mean && mean.mean), `95 %: ${reach(mean)}`]),
});
const bracketed = (value, parts, digits) =>
  none(value) ? "–" : value.toFixed(digits) + (parts ? ` (${["score", "attend", "move"].map((one) => parts[one].toFixed(1)).join(", ")})` : "");

function rowsTable(task, rows) {
  const fidelity = rows.some((row) => row.kl);
  const columns = [
    text("system", (row) => row.system),
    text("kind", (row) => KINDS[KIND.get(row.system)]),
    figure("budget", (row) => row.budget, percent),
    {
      label: fidelity ? "agreement" : "right",
      title: "share of the questions answered right, all tokens of the answer; focus or hover for its interval",
      get: (row) => row.accuracy.mean,
      cell: (row) => told(row.accuracy),
    },
    fidelity && { label: "KL [nats]", get: (row) => row.kl && row.kl.mean, cell: (row) => told(row.kl) },
    figure("KB", (row) => row.resident_bytes, kb, "of one sequence after the prompt"),
    figure("away KB", (row) => row.away_bytes || null, kb, "pages in the host's memory that are looked up"),
    figure("peak KB", (row) => row.peak_bytes, kb, "the most while the prompt was read"),
    !fidelity && figure("KB at the end", (row) => row.decoded_bytes, kb, "after the last answer"),
    !fidelity && {
      label: "prefill [s]",
      title: "of a batch; in brackets score, attend, move [ms]",
      get: (row) => row.prefill_s,
      cell: (row) => bracketed(row.prefill_s, row.prefill_ms, 2),
    },
    !fidelity && {
      label: "step [ms]",
      title: "one token for every sequence of a batch; in brackets score, attend, move [ms]",
      get: (row) => row.step_ms,
      cell: (row) => bracketed(row.step_ms, row.decode_ms, 1),
    },
    !fidelity && figure("tokens/s", (row) => row.tokens_per_s),
  ].filter(Boolean);
  const made = sortable(`rows-${task}`, { caption: `${task}: every cache`, columns, groups: [{ rows }] });
  walkable(made.querySelector("table"));
  return made;
}

// ---- the picture ---------------------------------------------------------------------------------------------------
const WIDE = 960,
  HIGH = 380,
  BOX = { left: 46, right: WIDE - 16, top: 34, bottom: HIGH - 44 };

function ticksOf(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1)
    for (const step of [1, 2, 5]) found.push(step * 10 ** power);
  return found.filter((one) => one >= low && one <= high);
}

function shape(kind, x, y, r, attributes) {
  if (kind === "peer") return s("path", { d: `M${x} ${y - 1.2 * r}l${1.2 * r} ${2.1 * r}h${-2.4 * r}z`, ...attributes });
  if (kind === "lookup") return s("path", { d: `M${x} ${y + 1.2 * r}l${1.2 * r} ${-2.1 * r}h${-2.4 * r}z`, ...attributes });
  if (kind === "baseline") return s("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r, ...attributes });
  if (kind === "codec")
    return s("path", { d: `M${x} ${y - 1.35 * r}l${1.35 * r} ${1.35 * r}l${-1.35 * r} ${1.35 * r}l${-1.35 * r} ${-1.35 * r}z`, ...attributes });
  return s("circle", { cx: x, cy: y, r, ...attributes });
}

function picture(task, given) {
  const rows = given.filter((row) => row.resident_bytes);
  if (!rows.length) return null;
  const sizes = rows.map((row) => row.resident_bytes / 1000);
  const low = Math.min(...sizes) / 1.4,
    high = Math.max(...sizes) * 1.2;
  const x = (row) =>
    BOX.left + ((BOX.right - BOX.left) * Math.log(row.resident_bytes / 1000 / low)) / Math.log(high / low);
  const y = (value) => BOX.bottom - value * (BOX.bottom - BOX.top);
  const leads = DERIVED.front[task].map(([system, budget]) =>
    rows.find((row) => row.system === system && row.budget === budget),
  );
  const name = (row) => (row.budget === 1 ? row.system : `${row.system} ${percent(row.budget)}`);
  const corner = (row, n) => `${n ? "H" : "M"}${x(row)}${n ? "V" : " "}${y(row.accuracy.mean)}`;
  const points = [...rows.filter((row) => !leads.includes(row)), ...leads].map((row) => {
    const lines = () => [
      name(row),
      `${share(row.accuracy.mean)}, 95 %: ${reach(row.accuracy)}`,
      `${kb(row.resident_bytes)} KB a sequence`,
    ];
    const ahead = leads.includes(row);
    return shape(KIND.get(row.system), x(row), y(row.accuracy.mean), ahead ? 5 : 3.5, {
      class: `mark-${KIND.get(row.system)} ${ahead ? "" : "mark-behind"}`,
      tabindex: ahead ? "0" : undefined,
      role: "img",
      "aria-label": lines().join(", "),
      on: telling(lines),
    });
  });
  return h(
    "figure",
    {},
    s(
      "svg",
      { class: "pareto", viewBox: `0 0 ${WIDE} ${HIGH}`, role: "group", "aria-label": `${task}: right answers by bytes` },
      [0, 0.25, 0.5, 0.75, 1].map((one) => [
        s("line", { class: "grid", x1: BOX.left, x2: BOX.right, y1: y(one), y2: y(one) }),
        s("text", { x: BOX.left - 6, y: y(one) + 4, "text-anchor": "end" }, share(one).replace(/0+$/, "").replace(/\.$/, "") || "0"),
      ]),
      ticksOf(low, high).map((one) =>
        s("text", { x: x({ resident_bytes: one * 1000 }), y: BOX.bottom + 17, "text-anchor": "middle" }, String(Number(one.toPrecision(2)))),
      ),
      s("text", { x: (BOX.left + BOX.right) / 2, y: HIGH - 8, "text-anchor": "middle" }, "KB a sequence after the prompt, logarithmic"),
      s("path", { class: "front", d: `${leads.map(corner).join("")}H${BOX.right}` }),
      points,
      labels(leads, x, y, name),
    ),
    h("figcaption", { class: "lead" }, keys(), h("br"), "The line is the front: no other cache has as many right answers in as few bytes."),
  );
}

const alike = (row, other) =>
  row.accuracy.mean === other.accuracy.mean && Math.abs(row.resident_bytes / other.resident_bytes - 1) < DERIVED.alike;

function labels(leads, x, y, name) {
  const groups = [];
  for (const row of leads) {
    const last = groups[groups.length - 1];
    if (last && alike(row, last[0])) last.push(row);
    else groups.push([row]);
  }
  let floor = Infinity; // names stand above their points, none on another
  return groups.map((group) => {
    floor = Math.max(12, Math.min(y(group[0].accuracy.mean) - 10, floor - 13));
    const near = x(group[0]) < WIDE * 0.45;
    const words = group.length < 4 ? group.map(name).join(" = ") : `${name(group[0])} = ${group.length - 1} others`;
    return s("text", { class: "name", x: x(group[0]) + (near ? -5 : 5), y: floor, "text-anchor": near ? "start" : "end" }, words);
  });
}

function keys() {
  const used = new Set(KIND.values());
  return Object.entries(KINDS)
    .filter(([kind]) => used.has(kind))
    .map(([kind, words]) => [
      s("svg", { class: "pareto-key", viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true" }, shape(kind, 7, 7, 4.5, { class: `mark-${kind}` })),
      ` ${words}  `,
    ]);
}

// ---- the other parts -------------------------------------------------------------------------------------------------
function section(id, title, ...kids) {
  return h("section", { id }, h("h2", {}, title), kids);
}

function taskSection(task) {
  const rows = DATA.rows.filter((row) => row.task === task);
  const most = rows.reduce((one, other) => (one && one.questions >= other.questions ? one : other), null);
  const counts = most ? ` ${most.questions} questions in ${most.sequences} sequences.` : " Nothing was measured.";
  return section(`task-${task}`, task, h("p", { class: "lead" }, DERIVED.words[task] + counts), picture(task, rows), rows.length ? rowsTable(task, rows) : null);
}

function goalsTable() {
  const columns = [
    text("what", (row) => row.what),
    figure("measured", (row) => row.measured, (value) => Number(value.toPrecision(4)).toString()),
    text("goal", (row) => row.goal),
    { label: "reached", text: true, get: (row) => String(row.reached), cell: (row) => ({ kids: [row.reached ? "yes" : "no"], class: row.reached ? "" : "no" }) },
  ];
  return sortable("goals", { caption: "Figures and goals", columns, groups: [{ rows: DATA.goals }] });
}

function speedTable() {
  const columns = [
    text("cache", (row) => row.name),
    figure("prefill [s]", (row) => row.prefill_s, fixed(2)),
    figure("step [ms]", (row) => row.step_ms, fixed(1)),
    figure("MB", (row) => row.resident_bytes / 1e6, fixed(2)),
    figure("peak MB", (row) => row.peak_bytes / 1e6, fixed(2)),
    figure("prefill, of stock", (row) => row.prefill_ratio, fixed(3)),
    figure("step, of stock", (row) => row.step_ratio, fixed(3)),
    figure("bytes, of stock", (row) => row.bytes_ratio, fixed(3)),
    figure("logits apart", (row) => row.logits_apart, (value) => value.toExponential(1)),
  ];
  return sortable("speed-rows", { caption: `One sequence, ${DATA.speed.tokens} tokens`, columns, groups: [{ rows: DATA.speed.rows }] });
}

function costTable() {
  const columns = [
    text("cache", (row) => row.cache),
    figure("kept", (row) => row.kept, percent),
    figure("tokens", (row) => row.tokens),
    figure("MB predicted", (row) => row.bytes_predicted / 1e6, fixed(2)),
    figure("MB measured", (row) => row.bytes_measured / 1e6, fixed(2)),
    figure("step predicted [ms]", (row) => row.step_ms_predicted, fixed(2)),
    figure("step measured [ms]", (row) => row.step_ms_measured, fixed(2)),
    figure("ratio", (row) => row.step_ratio, fixed(2)),
  ];
  return sortable("cost-rows", { caption: "Predicted and measured", columns, groups: [{ rows: DATA.cost.rows }] });
}

function checksTable() {
  const columns = [
    text("method", (row) => row.system),
    text("task", (row) => row.task),
    text("check", (row) => row.check),
    text("compared", (row) => `${row.first[0]} ${percent(row.first[1])} − ${row.second[0]} ${percent(row.second[1])}`),
    figure("difference [points]", (row) => row.difference.mean, null),
    { label: "passed", text: true, get: (row) => String(row.passed), cell: (row) => ({ kids: [row.passed ? "yes" : "no"], class: row.passed ? "" : "no" }) },
  ];
  columns[4].cell = (row) => signed(row.difference);
  return sortable("checks-rows", { caption: "The comparison that speaks most against each method", columns, groups: [{ rows: DATA.checks }] });
}

function plain(id, caption, rows, columns) {
  return rows.length ? sortable(id, { caption, columns, groups: [{ rows }] }) : h("p", { class: "lead" }, "None.");
}

const settings = (one) =>
  Object.entries(one.settings || {})
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
    .join(", ");

function sections() {
  const found = [];
  if (DATA.goals) found.push(section("speed", "Speed", goalsTable(), speedTable()));
  if (DATA.rows) {
    found.push(...DATA.tasks.map(taskSection));
    found.push(section("checks", "Checks", h("p", { class: "lead" }, "95 % intervals of paired differences; of so many, a few fail by chance."), DATA.checks.length ? checksTable() : h("p", { class: "lead" }, "None.")));
    found.push(section("settings", "Settings", plain("settings-rows", "What departs from a method's own defaults, and why", DATA.systems.filter((one) => settings(one) || one.reason), [text("system", (one) => one.name), text("settings", settings), text("why", (one) => one.reason || "")])));
    found.push(section("failed", "Failed", plain("failed-rows", "What broke", DATA.failed, [text("system", (one) => one.system), figure("budget", (one) => one.budget, percent), text("task", (one) => one.task), text("why", (one) => one.why)])));
  }
  if (DATA.cost) found.push(section("cost", "Predicted and measured", costTable()));
  return found;
}

const MADE = sections();
const FACTS = DATA.machine;
document.getElementById("top").append(
  h("h1", {}, "memspan bench kv ", h("span", {}, DATA.at.slice(0, 10))),
  h("pre", {}, DATA.command),
  h("p", { class: "lead" }, `${FACTS.cpu}, ${FACTS.cores} cores, ${FACTS.memory_gb} GB, ${FACTS.system}; ${Object.entries(DATA.versions).filter(([, one]) => one).map(([name, one]) => `${name} ${one}`).join(", ")}.`),
  h("p", { class: "lead" }, "The recall model tests mechanisms; it ranks no methods for real models."),
  DATA.peer && DATA.peer.why_absent ? h("p", { class: "note" }, `kvpress: absent (${DATA.peer.why_absent}).`) : "",
  h("nav", { id: "overview", "aria-label": "Parts" }, MADE.map((one) => h("a", { href: `#${one.id}` }, one.querySelector("h2").textContent))),
);
document.getElementById("main").append(...MADE);
