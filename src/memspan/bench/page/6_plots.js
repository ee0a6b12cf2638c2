// The plots: one set large, every set small, one legend for all.
function plots() {
  const stage = h("div", { class: "stage" }),
    small = h("div", { class: "multiples" }),
    keys = h("div", { class: "legend" }),
    words = h("p", { class: "lead" });
  const some = (plot) => SETS.some((set) => seriesOf(plot, set, SYSTEMS).length);
  const tabs = h(
    "form",
    { class: "choices", on: { submit: (event) => event.preventDefault() } },
    h(
      "fieldset",
      {},
      h("legend", {}, "Plot"),
      Object.keys(PLOTS)
        .filter(some)
        .map((name) =>
          h(
            "label",
            { class: "chip" },
            h("input", {
              type: "radio",
              name: "plot",
              value: name,
              checked: name === STATE.plot,
              on: { change: () => choose({ plot: name }) },
            }),
            h("span", {}, PLOTS[name].title),
          ),
        ),
    ),
  );
  const withData = () => SETS.filter((set) => seriesOf(STATE.plot, set, shownSystems()).length);

  function choose(change) {
    Object.assign(STATE, change);
    const sets = withData();
    if (!sets.includes(SETS[STATE.set]) && sets.length) STATE.set = SETS.indexOf(sets[0]);
    draw();
  }
  function draw() {
    keys.replaceChildren(...legend(choose, section));
    large();
    const sets = withData(),
      all = sets.flatMap((set) => seriesOf(STATE.plot, set, shownSystems())).flatMap((one) => one.points);
    const domain = { x: all.map((one) => one.x), y: all.map((one) => one.y) };
    small.replaceChildren(
      ...sets.map((set) =>
        h(
          "button",
          {
            type: "button",
            class: "panel",
            "aria-pressed": String(SETS[STATE.set] === set),
            on: {
              click: () => {
                choose({ set: SETS.indexOf(set) });
                stage.scrollIntoView({ block: "nearest" });
                focusPanel(set);
              },
            },
          },
          h(
            "span",
            { class: "panel-title" },
            set.set,
            PLOTS[STATE.plot].own && h("small", {}, ` ${PLOTS[STATE.plot].y(set)}`),
          ),
          chart(STATE.plot, set, { wide: 196, high: 122, large: false, domain }),
        ),
      ),
    );
    words.textContent = said(PLOTS[STATE.plot]);
  }
  function large() {
    const set = SETS[STATE.set],
      wide = Math.max(280, Math.min(stage.clientWidth || 900, 1100));
    stage.replaceChildren(
      h("h3", {}, `${set.set}: ${PLOTS[STATE.plot].title.toLowerCase()}`),
      chart(STATE.plot, set, { wide, high: wide > 560 ? 430 : 300, large: true }),
    );
  }
  const focusPanel = (set) => {
    const panel = small.children[withData().indexOf(set)];
    if (panel) panel.focus({ preventScroll: true });
  };
  const section = h("section", { id: "plots" }, h("h2", {}, "Plots"), tabs, keys, words, stage, small);
  let last = 0;
  new ResizeObserver(() => {
    if (stage.clientWidth !== last) {
      last = stage.clientWidth;
      large();
    }
  }).observe(stage);
  draw();
  return { section, draw: () => choose({}) };
}

function said(kind) {
  const apart =
    "; points stand a little apart so that bars do not hide each other, and small charts have memspan's alone";
  return [
    kind.bars && `Bars are 95 % intervals${kind.lines ? apart : ""}.`,
    kind === PLOTS.bytes && "What keeps nothing on disk is not drawn.",
    "Small charts share their axes; choose one to see it large.",
  ]
    .filter(Boolean)
    .join(" ");
}

function legend(choose, section) {
  const hot = (name) => {
    section.dataset.hot = name;
    for (const one of section.querySelectorAll(".one")) one.classList.toggle("hot", one.dataset.system === name);
  };
  const cool = () => {
    delete section.dataset.hot;
  };
  return shownSystems().map((system) =>
    h(
      "label",
      {
        class: "key",
        title: system.title,
        on: { mouseenter: () => hot(system.name), mouseleave: cool, focusin: () => hot(system.name), focusout: cool },
      },
      h("input", {
        type: "checkbox",
        name: "system",
        value: system.name,
        checked: !STATE.hidden.has(system.name),
        on: {
          change: (event) => {
            STATE.hidden[event.target.checked ? "delete" : "add"](system.name);
            choose({});
            const again = [...document.querySelectorAll(".legend input")].find((one) => one.value === system.name);
            if (again) again.focus();
          },
        },
      }),
      swatch(system.name),
      h("span", {}, system.name),
    ),
  );
}
