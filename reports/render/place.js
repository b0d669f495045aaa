"use strict";
(() => {
  // Mark the section on screen, and its group, in the navigation.
  const nav = document.querySelector("nav");
  const links = [...nav.querySelectorAll("li a[href^='#']")];
  const places = links.map((link) => [link, document.getElementById(link.hash.slice(1))]).filter(([, node]) => node);
  let waiting = 0;

  const mark = () => {
    waiting = 0;
    const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    const passed = places.filter(([, node]) => node.getBoundingClientRect().top < innerHeight / 3);
    const [here] = (atEnd ? places.at(-1) : passed.at(-1)) ?? places[0] ?? [];
    const group = here?.closest("ol").previousElementSibling;
    for (const link of nav.querySelectorAll("a")) {
      if (link === here || link === group) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };

  addEventListener("scroll", () => (waiting ||= requestAnimationFrame(mark)), { passive: true });
  mark();
})();
