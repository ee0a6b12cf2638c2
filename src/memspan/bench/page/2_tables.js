// Tables that sort by click and key, stay readable while scrolled, and tell intervals on hover and focus.
const SORTED = new Map(); // table id -> [column, direction], kept when a table is drawn anew

function before(a, b, direction) {
  if (none(a) || none(b)) return none(a) - none(b); // what is missing stands last, whichever way
  const order =
    typeof a === "number" && typeof b === "number"
      ? a - b
      : String(a).localeCompare(String(b), "en", { numeric: true });
  return direction * order;
}

// columns: {label, title, text, get(row), cell(row)}; groups: [{title, rows}]
// get() gives what is sorted by; cell() what is shown: nodes, or {kids, ...attributes}
function sortable(id, { caption, columns, groups, bands, classes }) {
  const bodies = groups.map((group) => {
    const body = h(
      "tbody",
      {},
      group.title &&
        h(
          "tr",
          { class: "group" },
          h("th", { colspan: columns.length, scope: "rowgroup" }, h("span", {}, group.title)),
        ),
    );
    const lines = group.rows.map((row) => ({
      row,
      line: h(
        "tr",
        {},
        columns.map((column, place) => drawn(column, row, place)),
      ),
    }));
    body.append(...lines.map((one) => one.line));
    return { body, lines };
  });
  const heads = columns.map((column, place) =>
    h(
      "th",
      { scope: "col", "aria-sort": "none", class: column.text ? "text" : "num", title: column.title },
      h(
        "button",
        { type: "button", class: "sort", on: { click: () => sort(place) } },
        column.label,
        h("span", { class: "arrow", "aria-hidden": "true" }),
      ),
    ),
  );
  function sort(place) {
    const first = columns[place].text ? 1 : -1;
    const [was, direction] = SORTED.get(id) || [null, 0];
    apply(was === place && direction === -first ? null : place, was === place ? -direction : first);
  }
  function apply(place, direction) {
    if (place === null) SORTED.delete(id);
    else SORTED.set(id, [place, direction]);
    heads.forEach((head, n) =>
      head.setAttribute("aria-sort", n !== place ? "none" : direction > 0 ? "ascending" : "descending"),
    );
    for (const { body, lines } of bodies) {
      const ordered =
        place === null
          ? lines
          : [...lines].sort((a, b) => before(columns[place].get(a.row), columns[place].get(b.row), direction));
      body.append(...ordered.map((one) => one.line));
    }
  }
  if (SORTED.has(id) && SORTED.get(id)[0] < columns.length) apply(...SORTED.get(id));
  const band =
    bands &&
    h(
      "tr",
      { class: "bands" },
      bands.map((one) => h(one.label ? "th" : "td", { colspan: one.span, scope: one.label && "colgroup" }, one.label)),
    );
  const table = h(
    "table",
    { id, class: classes },
    h("caption", {}, caption),
    h("thead", {}, band, h("tr", {}, heads)),
    bodies.map((one) => one.body),
  );
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, table);
}

function drawn(column, row, place) {
  const made = column.cell ? column.cell(row) : column.get(row);
  const { kids, ...attributes } = made && typeof made === "object" && "kids" in made ? made : { kids: [made] };
  attributes.class = [column.text ? "text" : "num", attributes.class].filter(Boolean).join(" ");
  return place === 0 ? h("th", { scope: "row", ...attributes }, kids) : h("td", attributes, kids);
}

// ---- the tip -----------------------------------------------------------------------------------------------------
const TIP = document.getElementById("tip");
let tipped = null;

function tell(node, lines) {
  hush();
  tipped = node;
  node.setAttribute("aria-describedby", "tip");
  TIP.replaceChildren(...lines.filter(Boolean).map((line, n) => h(n ? "div" : "strong", {}, line)));
  TIP.hidden = false;
  const at = node.getBoundingClientRect(),
    own = TIP.getBoundingClientRect();
  const left = Math.min(
    Math.max(8, at.left + at.width / 2 - own.width / 2),
    document.documentElement.clientWidth - own.width - 8,
  );
  TIP.style.left = `${left}px`;
  TIP.style.top = `${at.bottom + own.height + 12 > window.innerHeight ? at.top - own.height - 6 : at.bottom + 6}px`;
}
function hush() {
  if (tipped) tipped.removeAttribute("aria-describedby");
  tipped = null;
  TIP.hidden = true;
}
document.addEventListener("keydown", (event) => event.key === "Escape" && hush());
document.addEventListener("scroll", hush, true);
const telling = (lines) => ({
  mouseenter: (event) => tell(event.currentTarget, lines()),
  mouseleave: hush,
  focus: (event) => tell(event.currentTarget, lines()),
  blur: hush,
});

// one stop for the Tab key; the arrows walk from cell to cell
function walkable(table) {
  const cells = () =>
    [...table.querySelectorAll("tbody tr:not(.group)")].map((line) => [...line.querySelectorAll("td[tabindex]")]);
  const first = table.querySelector("td[tabindex]");
  if (first) first.tabIndex = 0;
  table.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const here = event.target.closest("td[tabindex]");
    if (!step || !here) return;
    event.preventDefault();
    const lines = cells(),
      y = lines.findIndex((line) => line.includes(here)),
      x = lines[y].indexOf(here);
    const next = (lines[y + step[0]] || [])[x + step[1]];
    if (!next) return;
    here.tabIndex = -1;
    next.tabIndex = 0;
    next.scrollIntoView({ block: "nearest", inline: "nearest" });
    next.focus({ preventScroll: true });
  });
}
