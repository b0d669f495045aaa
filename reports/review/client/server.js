// Saves every change on the review server, which decides what comes next.
class Server {
  static WAIT_MS = 400;
  static RETRY_MS = 2000;
  static BEAT_MS = 15000;

  constructor(boot) {
    this.csrf = boot.csrf;
    this.page = new Page(this, boot);
    this.page.enter(document.querySelector(".page"));
    this.revision = Number(this.page.current?.dataset.revision ?? 0);
    this.saved = this.page.clock?.ms;
    addEventListener("pagehide", () => { if (this.isDirty) this.save(true); });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden" && this.isDirty) this.save();
    });
    if (this.page.task) setInterval(() => this.beat(), Server.BEAT_MS);
  }

  async send(action, data, keepalive = false) {
    const response = await fetch(`/do/${action}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": this.csrf },
      body: JSON.stringify(data),
      keepalive,
    });
    const reply = await response.json().catch(() => ({ error: "The review server sent an unreadable response." }));
    return response.ok ? reply : Promise.reject(new Refusal(reply.error, response.status));
  }

  payload(task, draft) {
    return { task: task.id, revision: this.revision, active_ms: this.page.clock.ms, draft };
  }

  changed() {
    this.isDirty = true;
    this.page.tell("Saving…");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), Server.WAIT_MS);
  }

  beat() {
    if (this.page.clock.ms - this.saved > 5000) this.save();
  }

  // One request at a time; a change in the meantime is sent after it.
  async save(isLast = false) {
    clearTimeout(this.timer);
    if (this.isClosed) return;
    if (this.busy && !isLast) return void (this.isDirty = true);
    this.isDirty = false;
    const sent = this.payload(this.page.task, this.page.task.read());
    this.busy = this.send("draft", sent, isLast);
    try {
      this.revision = (await this.busy).revision;
      this.saved = sent.active_ms;
      if (!this.isDirty) this.page.tell("All changes saved");
    } catch (error) {
      this.isDirty = true;
      if (error instanceof Refusal) {
        this.isClosed = error.isFinal;
        this.page.refuse(error.message);
      } else {
        this.page.tell("Not saved: the review server does not respond. Retrying; please leave this page open.", true);
        this.timer = setTimeout(() => this.save(), Server.RETRY_MS);
      }
      return;
    } finally {
      this.busy = null;
    }
    if (this.isDirty) this.save();
  }

  async submit(task, draft) {
    clearTimeout(this.timer);
    this.isDirty = false;
    while (this.busy) await this.busy.catch(() => null);
    await this.act("submit", this.payload(task, draft));
  }

  async act(action, data) {
    try {
      await this.send(action, action === "guess" ? { guesses: data } : data);
      location.reload();
    } catch (error) {
      if (this.page.task) this.isDirty = true;
      this.page.refuse(error instanceof Refusal ? error.message : "The review server does not respond. Please try again.");
    }
  }

  settings(data) { this.send("settings", data).catch(() => null); }
}

class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.isFinal = status === 409 || status === 403;
  }
}

const enter = document.querySelector("form#enter");
if (enter) {
  const token = location.hash.slice(1);
  if (token) {
    history.replaceState(null, "", location.pathname);
    enter.elements.token.value = token;
    enter.submit();
  }
} else if (document.getElementById("boot")) {
  new Server(JSON.parse(document.getElementById("boot").textContent));
}
