// Keeps everything in this browser, without a server, and hands out one file of sealed answers at the end.
class Packet {
  constructor(boot) {
    this.boot = boot;
    this.key = `review ${boot.packet}`;
    this.sections = [...document.querySelectorAll(".page")];
    this.kept = this.load() ?? { at: 0, shortcuts: true, tasks: {} };
    for (const form of document.querySelectorAll("form[data-task]")) this.restore(form);
    this.page = new Page(this, { shortcuts: this.kept.shortcuts });
    document.getElementById("stop")?.addEventListener("click", () => this.show(this.sections.length - 1));
    document.getElementById("download").addEventListener("click", () => this.download());
    addEventListener("pagehide", () => this.keep());
    setInterval(() => this.keep(), 15000);
    this.show(this.kept.at);
  }

  load() {
    try {
      return JSON.parse(localStorage.getItem(this.key));
    } catch {
      return null;
    }
  }

  restore(form) {
    const kept = this.kept.tasks[form.dataset.task];
    if (!kept) return;
    form.querySelector(".draft").textContent = JSON.stringify({ ...JSON.parse(form.querySelector(".draft").textContent), ...kept.draft });
    form.dataset.active = kept.active_ms;
  }

  // What is known of a task; its clock counts on in `Page`.
  of(task) {
    return (this.kept.tasks[task.id] ??= { active_ms: 0, wall_ms: 0, reopened: 0, opened_at: Date.now(), draft: task.read() });
  }

  keep() {
    const task = this.page.task;
    if (task) {
      const kept = this.of(task);
      kept.active_ms = this.page.clock.ms;
      if (!kept.submitted_at) kept.draft = task.read();
    }
    try {
      localStorage.setItem(this.key, JSON.stringify(this.kept));
      return true;
    } catch {
      this.page.tell("This browser keeps nothing: please leave the page open until you have downloaded your answers.", true);
      return false;
    }
  }

  changed() { if (this.keep()) this.page.tell("All changes saved in this browser"); }

  show(at) {
    this.kept.at = Math.min(at, this.sections.length - 1);
    for (const section of this.sections) section.hidden = section !== this.sections[this.kept.at];
    const section = this.sections[this.kept.at];
    this.page.enter(section);
    const task = this.page.task;
    if (task) {
      const kept = this.of(task);
      kept.opened_at ??= Date.now();
    }
    section.querySelector(".back")?.toggleAttribute("hidden", this.previous() < 0);
    for (const box of section.querySelectorAll(".missing, .refused")) box.hidden = true;
    document.body.dataset.stage = section.dataset.page;
    scrollTo(0, 0);
    this.keep();
    this.page.tell("");
    this.summarise();
  }

  // The last section before this one that holds an item which was submitted, or -1.
  previous() {
    const before = this.sections.slice(0, this.kept.at);
    return before.findLastIndex((s) => this.kept.tasks[s.querySelector("form[data-task]:not([data-practice])")?.dataset.task]?.submitted_at);
  }

  submit(task, draft) {
    const kept = this.of(task);
    kept.active_ms = this.page.clock.ms;
    kept.wall_ms += Date.now() - (kept.opened_at ?? Date.now());
    task.form.dataset.active = kept.active_ms;
    Object.assign(kept, { draft, opened_at: null, submitted_at: Packet.now() });
    this.show(this.kept.at + 1);
  }

  act(action, said) {
    if (action === "consent") this.kept.consented_at = Packet.now();
    if (action === "begin") this.kept.begun_at = Packet.now();
    if (action === "guess") this.kept.guesses = said;
    if (action === "reopen") return this.reopen();
    this.show(this.kept.at + 1);
  }

  reopen() {
    const at = this.previous();
    if (at < 0) return;
    const task = this.page.taskOf(this.sections[at].querySelector("form[data-task]"));
    const kept = this.of(task);
    Object.assign(kept, { submitted_at: null, opened_at: Date.now(), reopened: kept.reopened + 1 });
    this.show(at);
  }

  settings({ shortcuts }) {
    this.kept.shortcuts = shortcuts;
    this.keep();
  }

  static now() { return new Date().toISOString().replace(/\.\d+Z$/, "Z"); }

  summarise() {
    const done = Object.values(this.kept.tasks).filter((task) => task.submitted_at).length;
    const all = document.querySelectorAll("form[data-task]").length;
    document.getElementById("done-count").textContent = `${done} of ${all} items, practice included, are submitted.`;
  }

  // The seal is keyed with the packet's token, which is not in the file: a changed file does not fit it any more.
  async download() {
    const tasks = Object.entries(this.kept.tasks).filter(([, task]) => task.submitted_at)
      .map(([task, { draft, active_ms, wall_ms, submitted_at, reopened }]) => ({ task, draft, active_ms, wall_ms, submitted_at, reopened }));
    const { consented_at, begun_at, guesses } = this.kept;
    const body = JSON.stringify({ consented_at, begun_at, tasks, guesses: guesses ?? {} });
    const says = document.getElementById("downloaded");
    if (!globalThis.crypto?.subtle) {
      says.textContent = "This browser cannot seal the answers. Please open the file in a current Chrome, Edge, Firefox or Safari.";
      return;
    }
    const bytes = (text) => new TextEncoder().encode(text);
    const key = await crypto.subtle.importKey("raw", bytes(this.boot.token), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    const made = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes(body)));
    const seal = [...made].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const file = JSON.stringify({ schema_version: 1, packet: this.boot.packet, reviewer: this.boot.reviewer, body, seal });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([file], { type: "application/json" }));
    link.download = "answers.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    says.textContent = "answers.json was downloaded. Send it to the person who gave you this file.";
  }
}

new Packet(JSON.parse(document.getElementById("boot").textContent));
