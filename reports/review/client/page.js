// Every page: its task, dialogs, missing answers and save status. The store saves the answers and decides what comes
// next: `changed(task)`, `submit(task, draft)`, `act(action, data)`, `settings(data)`.
class Page {
  constructor(store, boot) {
    this.store = store;
    this.task = null;
    this.tasks = new Map();
    this.keys = new Keys(this);
    this.shortcuts(boot.shortcuts);
    for (const button of document.querySelectorAll("[data-opens]")) {
      button.addEventListener("click", () => this.open(button.dataset.opens));
    }
    for (const button of document.querySelectorAll("[data-ask]")) {
      button.addEventListener("click", () => this.ask(button.dataset.ask));
    }
    for (const button of document.querySelectorAll("[data-undo]")) button.addEventListener("click", () => this.undo());
    document.getElementById("shortcuts")?.addEventListener("click", () => {
      this.shortcuts(!this.keys.isOn);
      this.store.settings({ shortcuts: this.keys.isOn });
    });
    for (const form of document.querySelectorAll("form[data-action]")) {
      form.addEventListener("submit", (event) => { event.preventDefault(); this.act(form); });
    }
    document.querySelector("#reason .cancel")?.addEventListener("click", (event) => event.target.closest("dialog").close());
    document.querySelector("#reason form")?.addEventListener("submit", (event) => this.leaveOut(event));
  }

  // Make a section the current one.
  enter(section) {
    this.section = section;
    this.current = section.querySelector("form[data-task]");
    this.clock?.stop();
    this.clock = this.current ? new Clock(Number(this.current.dataset.active)) : null;
    this.task = this.current ? this.taskOf(this.current) : null;
    this.heading()?.focus();
  }

  taskOf(form) {
    if (!this.tasks.has(form)) this.tasks.set(form, new Task(form, (task) => this.store.changed(task)));
    return this.tasks.get(form);
  }

  heading() { return this.section?.querySelector("h1"); }

  tell(text, isBad = false) {
    const status = document.getElementById("status");
    if (status.textContent !== text) status.textContent = text;
    status.classList.toggle("bad", isBad);
  }

  shortcuts(isOn) {
    this.keys.isOn = isOn;
    const button = document.getElementById("shortcuts");
    button?.setAttribute("aria-pressed", `${isOn}`);
  }

  open(id) { document.getElementById(id)?.showModal(); }

  undo() {
    if (!this.task) return;
    if (this.task.undo()) this.store.changed(this.task);
    else this.tell("Nothing to undo");
  }

  // Ask why a task is left out.
  ask(outcome) {
    if (!this.task) return;
    const dialog = document.getElementById("reason");
    dialog.dataset.outcome = outcome;
    for (const part of dialog.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== outcome;
    dialog.showModal();
    dialog.querySelector("textarea").focus();
  }

  leaveOut(event) {
    event.preventDefault();
    const dialog = document.getElementById("reason");
    const reason = dialog.querySelector("textarea");
    if (!reason.value.trim()) return reason.focus();
    dialog.close();
    this.store.submit(this.task, this.task.read(dialog.dataset.outcome, reason.value));
    reason.value = "";
  }

  act(form) {
    if (!form.dataset.task) {
      const data = Object.fromEntries(new FormData(form));
      return this.store.act(form.dataset.action, data);
    }
    const missing = this.task.missing();
    if (missing.length) return this.showMissing(missing);
    this.store.submit(this.task, this.task.read());
  }

  showMissing(questions) {
    const links = questions.map((question) => {
      const [item, link] = ["li", "button"].map((name) => document.createElement(name));
      link.type = "button";
      link.textContent = question.dataset.label;
      link.addEventListener("click", () => Keys.enter(question));
      item.append(link);
      return item;
    });
    const box = this.section.querySelector(".missing");
    box.querySelector("ul").replaceChildren(...links);
    box.hidden = false;
    box.focus();
  }

  refuse(text) {
    const box = this.section.querySelector(".refused");
    if (box) {
      box.textContent = text;
      box.hidden = false;
      box.focus();
    }
    this.tell("Not saved", true);
  }
}
