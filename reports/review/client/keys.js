// The keyboard: single keys work outside of text fields, and only while they are switched on.
class Keys {
  constructor(page) {
    this.page = page;
    this.isOn = true;
    const move = (step) => () => this.move(step);
    this.actions = {
      j: move(1), k: move(-1),
      a: () => this.jump('[data-side="A"]'), b: () => this.jump('[data-side="B"]'),
      p: () => this.jump('[data-question="preference"]'),
      s: () => this.page.current?.querySelector(".source")?.focus(),
      f: () => this.card()?.querySelector(".numbers")?.focus(),
      q: () => this.prompt(),
      t: () => this.allPresent(),
      n: () => this.page.current?.querySelector('[name="note"]')?.focus(),
      z: () => this.page.undo(),
      c: () => this.page.ask("cannot_judge"), x: () => this.page.ask("skipped"),
      r: () => this.page.open("rubric"), "?": () => this.page.open("keys"),
    };
    document.addEventListener("keydown", (event) => this.down(event));
  }

  static isText(element) {
    return element.matches("textarea, select, input:not([type=radio]):not([type=checkbox])");
  }

  down(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      const form = document.activeElement.closest("dialog[open] form") ?? this.page.section?.querySelector("form");
      form?.requestSubmit();
      return;
    }
    const inText = Keys.isText(event.target);
    if (event.key === "Escape" && inText && !event.target.closest("dialog")) {
      (this.question()?.querySelector("input[type=radio], input[type=checkbox]") ?? this.page.heading())?.focus();
      return;
    }
    if (!this.isOn || inText || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const action = /^\d$/.test(event.key) ? () => this.choose(event.key) : this.actions[event.key];
    if (action && this.page.current) {
      event.preventDefault();
      action();
    }
  }

  questions() { return [...(this.page.current?.querySelectorAll("fieldset[data-question]") ?? [])]; }

  question() { return document.activeElement.closest("fieldset[data-question]"); }

  card() {
    return document.activeElement.closest(".card[data-side]") ?? this.page.current?.querySelector(".card[data-side]");
  }

  static enter(question) {
    const input = question?.querySelector("input:checked") ?? question?.querySelector("input, textarea");
    input?.focus();
    question?.scrollIntoView({ block: "nearest" });
  }

  move(step) {
    const all = this.questions();
    const at = all.indexOf(this.question());
    Keys.enter(all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))]);
  }

  jump(selector) {
    const target = this.page.current?.querySelector(selector);
    Keys.enter(target?.matches("fieldset") ? target : target?.querySelector("fieldset[data-question]") ?? target);
  }

  prompt() {
    const details = this.page.current?.querySelector("details.prompt");
    if (!details) return;
    details.open = !details.open;
    details.querySelector("summary").focus();
  }

  allPresent() {
    const button = this.card()?.querySelector("[data-all-present]");
    button?.click();
    if (button) Keys.enter([...button.closest(".card").querySelectorAll("[data-clause]")].at(-1));
  }

  choose(digit) {
    const choice = this.question()?.querySelector(`[data-choice="${digit}"]`);
    choice?.focus();
    if (!choice?.checked) choice?.click();
  }
}
