// Stores everything in this browser, without a server, and exports one file of sealed answers at the end.
class Packet {
  constructor(boot) {
    this.boot = boot;
    this.key = `review ${boot.packet}`;
    this.sections = [...document.querySelectorAll(".page")];
    const last = this.load();
    this.state = { at: 0, shortcuts: true, tasks: {}, ...last, window: Math.max(Date.now(), (last?.window ?? 0) + 1) };
    for (const form of document.querySelectorAll("form[data-task]")) this.restore(form);
    this.page = new Page(this, { shortcuts: this.state.shortcuts });
    document.getElementById("stop")?.addEventListener("click", () => { this.state.stoppedAt = this.state.at; this.show(this.sections.length - 1); });
    document.getElementById("resume").addEventListener("click", () => this.show(this.state.stoppedAt));
    document.getElementById("download").addEventListener("click", () => this.download());
    addEventListener("pagehide", () => this.keep());
    setInterval(() => this.keep(), 15000);
    this.write();
    this.show(this.state.at);
  }

  load() {
    try {
      return JSON.parse(localStorage.getItem(this.key));
    } catch {
      return null;
    }
  }

  restore(form) {
    const record = this.state.tasks[form.dataset.task];
    if (!record) return;
    form.querySelector(".draft").textContent = JSON.stringify({ ...JSON.parse(form.querySelector(".draft").textContent), ...record.draft });
    form.dataset.active = record.active_ms;
  }

  // The record of a task; its clock runs in `Page`.
  of(task) {
    return (this.state.tasks[task.id] ??= { active_ms: 0, wall_ms: 0, reopened: 0, opened_at: Date.now(), draft: task.read() });
  }

  keep() {
    const task = this.page.task;
    if (task) {
      const record = this.of(task);
      record.active_ms = this.page.clock.ms;
      if (!record.submitted_at) record.draft = task.read();
    }
    if ((this.load() ?? this.state).window <= this.state.window) return this.write();
    this.page.tell("Not saved: this review is open in a newer window. Continue there, or reload this one.", true);
    return false;
  }

  // The window that was opened last saves; an older one would undo its answers. Windows count upwards, since browsers
  // bring what one window stores to another one with a delay: the newer one may find the older one's last words.
  write() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.state));
      return true;
    } catch {
      this.page.tell("This browser cannot save: please leave the page open until you have downloaded your answers.", true);
      return false;
    }
  }

  changed() { if (this.keep()) this.page.tell("All changes saved in this browser"); }

  show(at) {
    this.state.at = Math.min(at, this.sections.length - 1);
    for (const section of this.sections) section.hidden = section !== this.sections[this.state.at];
    const section = this.sections[this.state.at];
    this.page.enter(section);
    const task = this.page.task;
    if (task) {
      const record = this.of(task);
      record.opened_at ??= Date.now();
    }
    section.querySelector(".back")?.toggleAttribute("hidden", this.previous() < 0);
    for (const box of section.querySelectorAll(".missing, .refused")) box.hidden = true;
    document.body.dataset.stage = section.dataset.page;
    document.getElementById("resume").hidden = this.state.stoppedAt === undefined;
    scrollTo(0, 0);
    this.page.tell("");
    this.keep();
    this.summarise();
  }

  // The last section before this one with a submitted item, or -1.
  previous() {
    const before = this.sections.slice(0, this.state.at);
    return before.findLastIndex((s) => this.state.tasks[s.querySelector("form[data-task]:not([data-practice])")?.dataset.task]?.submitted_at);
  }

  submit(task, draft) {
    const record = this.of(task);
    record.active_ms = this.page.clock.ms;
    record.wall_ms += Date.now() - (record.opened_at ?? Date.now());
    task.form.dataset.active = record.active_ms;
    Object.assign(record, { draft, opened_at: null, submitted_at: Packet.now() });
    delete this.state.stoppedAt;
    this.show(this.state.at + 1);
  }

  act(action, data) {
    if (action === "consent") this.state.consented_at = Packet.now();
    if (action === "begin") this.state.begun_at = Packet.now();
    if (action === "guess") this.state.guesses = data;
    if (action === "reopen") return this.reopen();
    this.show(this.state.at + 1);
  }

  reopen() {
    const at = this.previous();
    if (at < 0) return;
    const task = this.page.taskOf(this.sections[at].querySelector("form[data-task]"));
    const record = this.of(task);
    Object.assign(record, { submitted_at: null, opened_at: Date.now(), reopened: record.reopened + 1 });
    this.show(at);
  }

  settings({ shortcuts }) {
    this.state.shortcuts = shortcuts;
    this.keep();
  }

  static now() { return new Date().toISOString().replace(/\.\d+Z$/, "Z"); }

  summarise() {
    const done = Object.values(this.state.tasks).filter((task) => task.submitted_at).length;
    const all = document.querySelectorAll("form[data-task]").length;
    document.getElementById("done-count").textContent = `${done} of ${all} items are submitted, including practice.`;
  }

  // The key of the seal is the packet's token, which is not in the file: a changed file no longer matches its seal.
  async download() {
    const tasks = Object.entries(this.state.tasks).filter(([, task]) => task.submitted_at)
      .map(([task, { draft, active_ms, wall_ms, submitted_at, reopened }]) => ({ task, draft, active_ms, wall_ms, submitted_at, reopened }));
    const { consented_at, begun_at, guesses } = this.state;
    const body = JSON.stringify({ consented_at, begun_at, tasks, guesses: guesses ?? {} });
    const status = document.getElementById("downloaded");
    if (!globalThis.crypto?.subtle) {
      status.textContent = "This browser cannot seal the answers. Please open the file in a current Chrome, Edge, Firefox or Safari.";
      return;
    }
    const bytes = (text) => new TextEncoder().encode(text);
    const key = await crypto.subtle.importKey("raw", bytes(this.boot.token), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    const signature = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes(body)));
    const seal = [...signature].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const file = JSON.stringify({ schema_version: 1, packet: this.boot.packet, reviewer: this.boot.reviewer, body, seal });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([file], { type: "application/json" }));
    link.download = "answers.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    status.textContent = "answers.json was downloaded. Send it to the person who gave you this file.";
  }
}

new Packet(JSON.parse(document.getElementById("boot").textContent));
