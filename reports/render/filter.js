"use strict";
(() => {
  // Filter the cases of a page. Writes text only as text; without this script every case is shown.
  const form = document.getElementById("filter");
  const count = document.getElementById("count");
  const names = ["text", "kind", "suite", "slice"];
  const fields = names.map((name) => form.elements.namedItem(name)).filter(Boolean);
  const items = [...document.querySelectorAll("[data-is]")].map((node) => ({
    node,
    is: new Set(node.dataset.is.split(" ")),
    text: "",
  }));
  const cases = items.filter((item) => item.node.matches("details"));
  let waiting = 0;

  const say = (text) => {
    count.textContent = text;
  };

  const matches = (item, words, tokens) => {
    if (!tokens.every((token) => item.is.has(token))) return false;
    if (words.length && !item.text) item.text = item.node.textContent.toLowerCase();
    return words.every((word) => item.text.includes(word));
  };

  const apply = () => {
    const state = new Map(fields.map((field) => [field.name, field.value.trim()]));
    const words = state.get("text").toLowerCase().split(/\s+/).filter(Boolean);
    const tokens = [...state].filter(([name, value]) => name !== "text" && value).map(([, value]) => value);
    for (const item of items) item.node.hidden = !matches(item, words, tokens);
    const seen = cases.filter((item) => !item.node.hidden).length;
    say(`Showing ${seen.toLocaleString("en")} of ${cases.length.toLocaleString("en")} cases`);
    for (const note of document.querySelectorAll(".filtered")) {
      const rows = [...note.parentElement.querySelectorAll("tr[data-is]")];
      const left = rows.filter((row) => !row.hidden).length;
      note.hidden = left === rows.length;
      note.textContent = `The case filter shows ${left} of ${rows.length} rows.`;
    }
    return state;
  };

  const remember = () => {
    const set = [...apply()].filter(([, value]) => value);
    const page = location.href.split("#")[0];
    history.replaceState(null, "", set.length ? `${page}#?${new URLSearchParams(set)}` : page);
  };

  const open = (node) => {
    const item = cases.find((one) => one.node.contains(node));
    if (!item) return;
    if (item.node.hidden) {
      form.reset();
      apply();
    }
    item.node.open = true;
    item.node.scrollIntoView();
    item.node.querySelector("summary").focus({ preventScroll: true });
  };

  const follow = () => {
    const hash = location.hash.slice(1);
    if (hash.startsWith("?")) {
      const state = new URLSearchParams(hash.slice(1));
      for (const field of fields) field.value = state.get(field.name) ?? "";
      apply();
    } else {
      open(document.getElementById(hash));
    }
  };

  const copy = async (link) => {
    const label = link.textContent;
    try {
      await navigator.clipboard.writeText(link.href);
      link.textContent = "Link copied";
    } catch {
      link.textContent = "Link is in the address bar";
    }
    say(link.textContent);
    setTimeout(() => (link.textContent = label), 2000);
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(remember));
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(remember, 150);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-do]");
    if (!link) return;
    if (link.dataset.do === "copy") {
      copy(link);
      return;
    }
    const seen = cases.filter((item) => !item.node.hidden);
    const at = seen.findIndex((item) => item.node.contains(link));
    const next = seen[at + (link.dataset.do === "next" ? 1 : -1)];
    event.preventDefault();
    if (next) open(next.node);
    else say(link.dataset.do === "next" ? "This is the last case shown" : "This is the first case shown");
  });
  addEventListener("hashchange", follow);
  apply();
  follow();
})();
