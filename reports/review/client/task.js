// One task's form and its draft: read, write, undo, and list what is missing.
class Task {
  static MOST_UNDONE = 200;

  constructor(form, changed) {
    this.form = form;
    this.id = form.dataset.task;
    this.isFix = form.dataset.mode === "fix";
    this.changed = () => { this.remember(); changed(this); };
    const source = form.querySelector(".source");
    this.cards = [...form.querySelectorAll(".answer[data-side]")];
    this.marks = Object.fromEntries(
      this.cards.map((card) => [card.dataset.side, new Marks(card, source, this.changed)]),
    );
    this.editor = form.querySelector(".editor");
    this.original = this.editor?.value;
    this.write(JSON.parse(form.querySelector(".draft").textContent));
    this.undone = [this.snapshot()];
    form.addEventListener("change", (event) => { if (!event.target.matches(".finder input")) this.changed(); });
    form.addEventListener("input", (event) => { if (event.target.matches("textarea")) this.changed(); });
    for (const card of this.cards) {
      card.querySelector("[data-all-present]")?.addEventListener("click", () => this.markPresent(card));
    }
    form.querySelector(".restart")?.addEventListener("click", () => {
      this.editor.value = this.original;
      this.editor.focus();
      this.changed();
    });
  }

  // One change, so that one undo takes it back.
  markPresent(card) {
    const clauses = [...card.querySelectorAll('[data-clause] input[value="found"]')];
    for (const input of clauses) input.checked = true;
    this.changed();
    card.querySelector(".listed [role=status]").textContent = "All marked; Undo takes it back.";
  }

  field(name) { return this.form.elements.namedItem(name); }

  number(name) { return Number(this.field(name).value) || null; }

  scales(card) { return [...card.querySelectorAll("[data-scale]")].map((question) => question.dataset.scale); }

  read(outcome = "judged", reason = "") {
    const draft = { note: this.field("note").value, outcome, reason };
    if (this.isFix) return { ...draft, text: this.editor.value };
    for (const card of this.cards) draft[card.dataset.side] = this.opinion(card);
    return { ...draft, preference: this.field("preference").value || null };
  }

  opinion(card) {
    const side = card.dataset.side;
    const clauses = [...card.querySelectorAll("[data-clause]")].filter((clause) => clause.querySelector(":checked"));
    return {
      ...Object.fromEntries(this.scales(card).map((name) => [name, this.number(`${side}.${name}`)])),
      none_fabricated: this.marks[side].none.checked,
      marks: this.marks[side].list,
      missed: Object.fromEntries(
        clauses.map((clause) => [clause.dataset.clause, clause.querySelector(":checked").value === "missed"]),
      ),
    };
  }

  write(draft) {
    this.field("note").value = draft.note;
    if (this.isFix) {
      this.editor.value = draft.text ?? this.original;
      return;
    }
    this.set("preference", draft.preference);
    for (const status of this.form.querySelectorAll(".listed [role=status]")) status.textContent = "";
    for (const card of this.cards) {
      const opinion = draft[card.dataset.side];
      for (const name of this.scales(card)) this.set(`${card.dataset.side}.${name}`, opinion[name]);
      for (const clause of card.querySelectorAll("[data-clause]")) {
        const isMissed = opinion.missed[clause.dataset.clause];
        for (const input of clause.querySelectorAll("input")) {
          input.checked = isMissed !== undefined && (input.value === "missed") === isMissed;
        }
      }
      this.marks[card.dataset.side].none.checked = opinion.none_fabricated;
      this.marks[card.dataset.side].put(opinion.marks);
    }
  }

  set(name, value) {
    for (const input of this.form.querySelectorAll(`input[name="${name}"]`)) input.checked = input.value === `${value}`;
  }

  snapshot() { return JSON.stringify(this.read()); }

  remember() {
    const now = this.snapshot();
    if (now !== this.undone.at(-1)) this.undone.push(now);
    if (this.undone.length > Task.MOST_UNDONE) this.undone.shift();
  }

  undo() {
    if (this.undone.length < 2) return false;
    this.undone.pop();
    this.write(JSON.parse(this.undone.at(-1)));
    return true;
  }

  // Questions without an answer, with the fieldset to go to.
  missing() {
    return [...this.form.querySelectorAll("fieldset[data-question]")].filter((question) => {
      const side = question.closest("[data-side]")?.dataset.side;
      if (question.dataset.question === "fabrications") {
        return !this.marks[side].none.checked && !this.marks[side].list.length;
      }
      return !question.querySelector("input:checked");
    });
  }
}
