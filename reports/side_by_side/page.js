"use strict";
(() => {
  // Show the cases of several runs: filter, sort, history. Writes data as text only.
  const STEP = 50;
  const node = (id) => document.getElementById(id);
  const data = JSON.parse(node("data").textContent);
  const { columns, texts } = data;
  const compare = node("compare");
  const form = node("filter");
  const table = node("cases");
  const fields = [...compare.elements, ...form.elements].filter((field) => field.name);
  const initial = new Map(fields.map((field) => [field.name, field.value]));
  const lowered = [""];
  let waiting = 0;
  let limit = STEP;
  let state = {};

  const make = (tag, className, ...children) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children);
    return made;
  };

  const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

  const fill = (name, options) => {
    const field = form.elements.namedItem(name);
    const before = field.value;
    field.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
    field.value = options.some(([value]) => value === before) ? before : options[0][0];
    field.parentElement.hidden = options.length < 2;
  };

  // A value is [number, text, whether it is the best one: 1, 0, or -1 where that is not known, version of its scorer].
  const valueOf = (row, column, metric = state.metric) => {
    const cell = row[5][column];
    return cell ? state.suite.metrics[metric].values[cell[2 + metric]] : undefined;
  };

  const difference = (before, after) => {
    if (!before || before[3] !== after?.[3]) return null;
    const { sign } = state.suite.metrics[state.metric];
    const gain = (after[0] - before[0]) * (sign || 1);
    return Math.abs(gain) < 1e-12 ? 0 : gain;
  };

  const changes = (row) =>
    columns.map((_, at) => difference(valueOf(row, state.baseline), valueOf(row, at))).filter((gain) => gain !== null);

  const isFlip = (before, after) =>
    before[3] === after[3] && (before[2] < 0 ? before[0] !== after[0] : before[2] !== after[2]);

  const flips = (row) => {
    const known = columns.map((_, at) => valueOf(row, at)).filter(Boolean);
    return known.filter((value, at) => at && isFlip(known[at - 1], value)).length;
  };

  const scoped = (row) =>
    columns.map((_, at) => (state.run === "" || Number(state.run) === at ? valueOf(row, at) : undefined)).filter(Boolean);

  const lower = (at) => (lowered[at] ??= texts[at].toLowerCase());

  const says = (row, word) =>
    [row[3], row[4]].some((at) => lower(at).includes(word)) ||
    row[5].some((cell) => cell && lower(cell[0]).includes(word)) ||
    [row[0], row[1], ...row[2].map((at) => state.suite.slices[at])].some((text) => text.toLowerCase().includes(word));

  const SHOWN = {
    changed: (row) => changes(row).some((gain) => gain !== 0),
    worse: (row) => changes(row).some((gain) => gain < 0),
    better: (row) => changes(row).some((gain) => gain > 0),
    flips: (row) => flips(row) > 0,
    missing: (row) => row[5].some((cell) => !cell),
  };

  const ORDERS = {
    worst: (row) => Math.min(0, ...changes(row)),
    best: (row) => -Math.max(0, ...changes(row)),
    flips: (row) => -flips(row),
    lowest: (row) => Math.min(...scoped(row).map((value) => value[0])),
    highest: (row) => -Math.max(...scoped(row).map((value) => value[0])),
  };

  const matches = (row) => {
    if (state.slice !== "" && !row[2].includes(Number(state.slice))) return false;
    if (state.show && !SHOWN[state.show](row)) return false;
    if (state.least !== null || state.most !== null) {
      const within = ([number]) =>
        (state.least === null || number >= state.least - 1e-9) && (state.most === null || number <= state.most + 1e-9);
      if (!scoped(row).some(within)) return false;
    }
    return state.words.every((word) => says(row, word));
  };

  const sorted = (rows) => {
    const order = ORDERS[state.sort];
    if (!order) return rows.sort((a, b) => a[0].localeCompare(b[0], "en", { numeric: true }));
    const keys = new Map(rows.map((row) => [row, order(row)]));
    return rows.sort((a, b) => keys.get(a) - keys.get(b) || 0);
  };

  // Of a metric without a direction a value is only higher or lower.
  const hasDirection = () => state.suite.metrics[state.metric].sign !== 0;

  const word = (gain) => {
    if (gain === null) return "";
    if (gain === 0) return "= same";
    if (!hasDirection()) return gain > 0 ? "higher" : "lower";
    return gain > 0 ? "▲ better" : "▼ worse";
  };

  const tone = (gain) => (!gain || !hasDirection() ? "" : gain > 0 ? "good" : "bad");

  const cellOf = (row, at) => {
    const cell = row[5][at];
    const value = valueOf(row, at);
    const gain = at === state.baseline ? null : difference(valueOf(row, state.baseline), value);
    const made = make("td", tone(gain), make("span", "main", cell ? (value ? value[1] : "no value") : "no answer"));
    made.dataset.column = columns[at].letter;
    const note = at === state.baseline ? "baseline" : word(gain);
    if (note) made.append(make("span", "quiet", note));
    if (cell && texts[cell[1]]) made.append(make("span", "quiet", texts[cell[1]]));
    return made;
  };

  const step = (before, after) => {
    if (!before || !after) return "";
    if (!isFlip(before, after)) return word(difference(before, after));
    if (before[2] < 0) return `flip: ${word(difference(before, after))}`;
    return after[2] ? "flip: wrong to right" : "flip: right to wrong";
  };

  const history = (row) => {
    const { metrics } = state.suite;
    const others = metrics.map((_, at) => at).filter((at) => at !== state.metric);
    const heads = ["Run", metrics[state.metric].title, "Against the run before", ...(others.length ? ["Other metrics"] : [])];
    const head = make("tr", "", ...heads.map((text) => make("th", "", text)));
    for (const cell of head.children) cell.scope = "col";
    let before;
    const body = columns.map((column, at) => {
      const value = valueOf(row, at);
      const name = make("th", "", make("span", "main", column.letter), make("span", "quiet", `${column.model}\n${column.started}`));
      name.scope = "row";
      const gain = difference(before, value);
      const rest = others.map((of) => [metrics[of].title, valueOf(row, at, of)]).filter(([, known]) => known);
      const cells = [
        make("td", "", make("span", "main", value ? value[1] : "–")),
        make("td", tone(gain), make("span", "main", step(before, value) || "–")),
      ];
      if (others.length) cells.push(make("td", "", rest.map(([title, known]) => `${title} ${known[1]}`).join("; ") || "–"));
      cells.forEach((cell, place) => (cell.dataset.column = heads[place + 1]));
      before = value ?? before;
      return make("tr", "", name, ...cells);
    });
    const caption = make("caption", "", `History of ${row[0]}, oldest run first`);
    return make("table", "history stacks", caption, make("thead", "", head), make("tbody", "", ...body));
  };

  const quoted = (heading, parts, className = "") => {
    const quote = make("div", `quote ${className}`, ...parts);
    quote.dir = "auto";
    if (!quote.textContent) quote.textContent = "(no text)";
    if (className === "excerpt") {
      quote.tabIndex = 0;
      quote.setAttribute("role", "group");
      quote.setAttribute("aria-label", heading);
    }
    return make("div", "", make("h3", "", heading), quote);
  };

  const lettersOf = (places) => places.map((at) => columns[at].letter).join(", ");

  // The templates of the runs that answered, each once; their texts are empty where a run does not hold its own.
  const prompts = (row) => {
    const asked = new Map();
    state.suite.prompts.forEach((key, at) => row[5][at] && texts[key] && asked.set(key, [...(asked.get(key) ?? []), at]));
    return [...asked].map(([key, places]) => {
      const heading = asked.size === 1 ? "Prompt template" : `Prompt template of ${lettersOf(places)}`;
      return make("details", "passage", make("summary", "", heading), make("div", "quote", texts[key]));
    });
  };

  const details = (row) => {
    const start = row[5][state.baseline] ? row[5][state.baseline][0] : 0;
    const letters = new Map();
    row[5].forEach((cell, at) => cell && letters.set(cell[0], [...(letters.get(cell[0]) ?? []), at]));
    const answers = [...letters].map(([key, places]) => {
      const notes = new Set(places.map((at) => texts[row[5][at][1]]).filter(Boolean));
      const isMarked = key !== start && key && start;
      const about = isMarked ? [`words changed from ${columns[state.baseline].letter} are marked`] : [];
      const heading = [`Answer of ${lettersOf(places)}`, ...notes, ...about].join("; ");
      return quoted(heading, isMarked ? withChanges(texts[start], texts[key]) : [texts[key]], "answer");
    });
    const source = quoted(`Source of ${row[0]}`, [texts[row[3]]], "excerpt");
    const pair = make("div", "pair", source, quoted("Expected", [texts[row[4]]]), ...answers);
    const cell = make("td", "details", history(row), ...prompts(row), pair);
    cell.colSpan = columns.length + 1;
    return make("tr", "opened", cell);
  };

  const rowOf = (row) => {
    const turns = flips(row);
    const button = make("button", "case", row[0]);
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    const about = turns ? `${row[1]}, ${plural(turns, "flip")}` : row[1];
    const name = make("th", "", button, make("span", "quiet", about));
    name.scope = "row";
    const made = make("tr", "", name, ...columns.map((_, at) => cellOf(row, at)));
    button.addEventListener("click", () => {
      const isOpen = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!isOpen));
      if (isOpen) made.nextElementSibling.remove();
      else made.after(details(row));
    });
    return made;
  };

  const readState = () => {
    const of = (name) => fields.find((field) => field.name === name).value.trim();
    const suite = data.suites[Number(of("suite")) || 0];
    if (state.suite !== suite) {
      state.suite = suite;
      fill("metric", suite.metrics.map((metric, at) => [String(at), metric.title]));
      fill("slice", [["", "All"], ...suite.slices.map((text, at) => [String(at), text])]);
    }
    const metric = Number(of("metric"));
    const scale = suite.metrics[metric].share ? 100 : 1;
    const bound = (name) => (of(name) === "" || Number.isNaN(Number(of(name))) ? null : Number(of(name)) / scale);
    const words = of("text").toLowerCase().split(/\s+/).filter(Boolean);
    const [least, most] = [bound("least"), bound("most")];
    const plain = Object.fromEntries(["slice", "run", "show", "sort"].map((name) => [name, of(name)]));
    state = { ...plain, suite, metric, least, most, words, baseline: Number(of("baseline")) };
    node("unit").textContent = scale === 100 ? "in percent" : "as a number";
  };

  const apply = () => {
    readState();
    const all = state.suite.cases;
    const met = sorted(all.filter(matches));
    const heads = columns.map(({ letter, model }, at) => {
      const head = make("th", "", make("span", "main", letter), make("span", "quiet", at === state.baseline ? `${model}\nbaseline` : model));
      head.scope = "col";
      return head;
    });
    const corner = make("th", "", "Case");
    corner.scope = "col";
    table.tHead.replaceChildren(make("tr", "", corner, ...heads));
    table.tBodies[0].replaceChildren(...met.slice(0, limit).map(rowOf));
    table.caption.textContent = `${state.suite.metrics[state.metric].title} of ${state.suite.name}, by case and run`;
    const seen = Math.min(limit, met.length);
    node("more").hidden = seen === met.length;
    node("count").textContent = `Showing ${seen.toLocaleString("en")} of ${plural(met.length, "matching case")}, ${all.length.toLocaleString("en")} in all`;
    for (const part of document.querySelectorAll("[data-baseline]"))
      part.hidden = Number(part.dataset.baseline) !== state.baseline;
  };

  const remember = () => {
    limit = STEP;
    apply();
    const set = fields.map((field) => [field.name, field.value]).filter(([name, value]) => value !== initial.get(name));
    const page = location.href.split("#")[0];
    history_.replaceState(null, "", set.length ? `${page}#?${new URLSearchParams(set)}` : page);
  };

  const follow = () => {
    if (!location.hash.startsWith("#?")) return;
    const given = new URLSearchParams(location.hash.slice(2));
    for (const name of ["suite", ...initial.keys()]) {
      const field = fields.find((one) => one.name === name);
      if (given.has(name)) field.value = given.get(name);
      if (field.selectedIndex === -1) field.value = initial.get(name);
      if (name === "suite") readState();
    }
    apply();
  };

  const history_ = window.history;
  compare.hidden = form.hidden = false;
  node("list").hidden = false;
  for (const one of [compare, form]) {
    one.addEventListener("submit", (event) => event.preventDefault());
    one.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(remember, 100);
    });
  }
  form.addEventListener("reset", () => setTimeout(remember));
  node("more").addEventListener("click", () => {
    limit += STEP;
    apply();
  });
  apply();
  for (const field of fields) initial.set(field.name, field.value);
  addEventListener("hashchange", follow);
  follow();
})();
