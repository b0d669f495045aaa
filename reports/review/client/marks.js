// The fabrications of one answer: chosen with the mouse or by sentence number, listed, and shown in the text.
class Marks {
  static SEVERITIES = ["minor", "major", "critical"];

  constructor(card, source, changed) {
    this.card = card;
    this.source = source;
    this.changed = changed;
    this.answer = new Answer(card.querySelector(".text"));
    this.list = [];
    this.chosen = null;
    this.numbers = card.querySelector(".numbers");
    this.words = card.querySelector(".words");
    this.none = card.querySelector(".none");
    this.message = card.querySelector(".chosen");
    this.hint = this.message.textContent;
    for (const field of [this.numbers, this.words]) {
      field.addEventListener("input", (event) => { event.stopPropagation(); this.chooseNamed(); });
      field.addEventListener("keydown", (event) => this.enter(event));
    }
    this.answer.element.addEventListener("mouseup", () => setTimeout(() => this.chooseSelected()));
    this.answer.element.addEventListener("click", (event) => this.chooseClicked(event));
    for (const button of card.querySelectorAll("[data-severity]")) {
      button.addEventListener("click", () => this.add(button.dataset.severity));
    }
    this.none.addEventListener("change", (event) => {
      if (this.none.checked && this.list.length) {
        event.stopPropagation();
        this.none.checked = false;
        this.tell("Some are marked. Remove the marks first.");
      }
    });
  }

  tell(text) { this.message.textContent = text; }

  enter(event) {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (this.chosen) this.card.querySelector("[data-severity]").focus();
    else this.chooseNamed();
  }

  chooseNamed() {
    if (!this.numbers.value.trim()) return this.choose(null);
    const named = this.answer.named(this.numbers.value, this.words.value);
    if (typeof named !== "string") return this.choose(named);
    this.choose(null);
    this.tell(named);
  }

  chooseSelected() {
    const selection = getSelection();
    if (!selection.rangeCount || selection.isCollapsed) return;
    const covered = this.answer.covered(selection.getRangeAt(0));
    if (covered) {
      this.numbers.value = this.words.value = "";
      this.choose(covered);
    }
  }

  chooseClicked(event) {
    const sentence = event.target.closest("[data-sentence]");
    if (!sentence || !getSelection().isCollapsed) return;
    this.numbers.value = sentence.dataset.sentence;
    this.words.value = "";
    this.chooseNamed();
  }

  choose(stretch) {
    this.chosen = stretch;
    const drawn = stretch ? this.drawnOn(stretch) : [];
    for (const old of this.source?.querySelectorAll(".drawn") ?? []) old.classList.remove("drawn");
    for (const sentence of drawn) sentence.classList.add("drawn");
    drawn[0]?.scrollIntoView({ block: "nearest" });
    const numbers = drawn.map((sentence) => sentence.dataset.sentence).join(", ");
    const link = numbers ? ` Shares words with source ${numbers}.` : "";
    this.tell(stretch ? `“${Marks.short(stretch.quote)}”${link}` : this.hint);
    this.paint();
  }

  drawnOn(stretch) {
    const sentences = [...this.answer.element.querySelectorAll("[data-sentence]")];
    const touched = sentences.filter((s) => s.dataset.start < stretch.end && s.dataset.end > stretch.start);
    const numbers = new Set(touched.flatMap((s) => s.dataset.source.split(" ").filter(Boolean)));
    return [...(this.source?.querySelectorAll("[data-sentence]") ?? [])].filter((s) => numbers.has(s.dataset.sentence));
  }

  static short(text) { return text.length > 160 ? `${text.slice(0, 110)} … ${text.slice(-40)}` : text; }

  add(severity) {
    if (!this.chosen) {
      this.tell("First choose what is fabricated: select words, click a sentence, or enter its number.");
      this.numbers.focus();
      return;
    }
    const { start, end, quote } = this.chosen;
    this.list = this.list.filter((mark) => mark.start !== start || mark.end !== end);
    this.list.push({ start, end, quote, severity });
    this.none.checked = false;
    this.numbers.value = this.words.value = "";
    getSelection().removeAllRanges();
    this.choose(null);
    this.show();
    this.tell(`Marked as ${severity}: “${Marks.short(quote)}”`);
    this.changed();
  }

  remove(mark) {
    this.list = this.list.filter((other) => other !== mark);
    this.show();
    this.none.focus();
    this.changed();
  }

  put(list) {
    this.list = [...list].sort((a, b) => a.start - b.start);
    this.chosen = null;
    this.show();
  }

  show() {
    const items = this.list.map((mark) => {
      const [item, kind, quote, button] = ["li", "span", "q", "button"].map((name) => document.createElement(name));
      item.className = mark.severity;
      kind.className = "severity-name";
      kind.textContent = mark.severity;
      quote.textContent = mark.quote;
      button.type = "button";
      button.textContent = "Remove";
      button.setAttribute("aria-label", `Remove ${mark.severity} “${Marks.short(mark.quote)}”`);
      button.addEventListener("click", () => this.remove(mark));
      item.append(kind, quote, button);
      return item;
    });
    this.card.querySelector(".marks").replaceChildren(...items);
    this.paint();
  }

  // Colours in the text repeat the list; without the browser's highlights there is only the list.
  paint() {
    if (!globalThis.CSS?.highlights) return;
    for (const name of [...Marks.SEVERITIES, "chosen"]) {
      const group = CSS.highlights.get(name) ?? new Highlight();
      CSS.highlights.set(name, group);
      for (const range of [...group]) if (this.answer.element.contains(range.startContainer)) group.delete(range);
      const marks = name === "chosen" ? [this.chosen].filter(Boolean) : this.list.filter((m) => m.severity === name);
      for (const mark of marks) group.add(this.answer.range(mark.start, mark.end));
    }
  }
}
