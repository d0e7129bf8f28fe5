/* Keeps a page of the council up to date while a session runs: asks /live.json, and when something was recorded fetches
   the page again and puts the new <main> in the place of the old. Without it the pages work the same, by reload. */
"use strict";
(() => {
  const body = document.body;
  if (!("seq" in body.dataset)) return;
  const RUNNING = 2000, QUIET = 8000;
  let seq = Number(body.dataset.seq), failures = 0;

  const select = document.getElementById("session");
  if (select) select.addEventListener("change", () => select.form.submit());

  function tell(found) {
    const pulse = document.getElementById("pulse"), now = document.getElementById("now");
    if (pulse) pulse.hidden = !found.running;
    if (!now) return;
    now.hidden = !(found.running && found.now);
    now.querySelector("span").textContent = found.now;
  }

  async function again() {
    const answer = await fetch(location.href, {headers: {accept: "text/html"}});
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = fresh.getElementById("main"), old = document.getElementById("main");
    if (!next || !old || busy(old)) return;
    const open = [...old.querySelectorAll("details")].map((d) => d.open);
    const scrolled = [...old.querySelectorAll(".scroll,.chart")].map((s) => s.scrollLeft);
    old.replaceWith(document.adoptNode(next));
    [...next.querySelectorAll("details")].forEach((d, i) => { if (open[i]) d.open = true; });
    [...next.querySelectorAll(".scroll,.chart")].forEach((s, i) => { s.scrollLeft = scrolled[i] || 0; });
    seq = Number(fresh.body.dataset.seq);
  }

  /* Whoever types or has marked text is not disturbed; the next turn comes soon. */
  function busy(main) {
    const at = document.activeElement;
    return main.contains(at) && at !== main && at.matches("input,select,textarea,a,summary") || !getSelection().isCollapsed;
  }

  async function turn() {
    let wait = QUIET;
    try {
      if (!document.hidden) {
        const name = body.dataset.session;
        const answer = await fetch("/live.json" + (name ? "?session=" + encodeURIComponent(name) : ""));
        if (answer.ok) {
          const found = await answer.json();
          if (found.seq !== seq) await again();
          tell(found);
          wait = found.running || found.empty ? RUNNING : QUIET;
          failures = 0;
        }
      }
    } catch {
      failures += 1;
      wait = Math.min(60000, QUIET * 2 ** failures);
    }
    setTimeout(turn, wait);
  }
  setTimeout(turn, RUNNING);
})();
