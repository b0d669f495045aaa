// Time in which the page was visible and in use: the clock pauses after half a minute without a key or a pointer.
class Clock {
  static IDLE_MS = 30000;

  constructor(active) {
    this.active = active;
    this.isVisible = document.visibilityState === "visible";
    this.last = this.touched = performance.now();
    this.events = ["keydown", "pointerdown", "pointermove", "wheel", "scroll", "input"];
    this.touch = () => { this.tick(); this.touched = performance.now(); };
    this.turn = () => { this.tick(); this.isVisible = document.visibilityState === "visible"; };
    for (const name of this.events) addEventListener(name, this.touch, { capture: true, passive: true });
    document.addEventListener("visibilitychange", this.turn);
  }

  tick() {
    const now = performance.now();
    const until = Math.min(now, this.touched + Clock.IDLE_MS);
    if (this.isVisible && until > this.last) this.active += until - this.last;
    this.last = now;
  }

  get ms() {
    this.tick();
    return Math.round(this.active);
  }

  stop() {
    this.tick();
    for (const name of this.events) removeEventListener(name, this.touch, { capture: true });
    document.removeEventListener("visibilitychange", this.turn);
  }
}
