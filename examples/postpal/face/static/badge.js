// Asks four times a second how the badge is, moves the ring, and loads the page anew once the badge is gone: so it is red within a
// quarter of a second after the API refuses it. The page is whole without this.
const every = 250; // milliseconds
const left = document.getElementById("left");
const ring = document.getElementById("ring");
let waiting = 0;
let leaving = false; // on the way to another page, which a reload would stop

async function look() {
  clearTimeout(waiting);
  if (document.hidden || leaving) return; // nobody looks; visibilitychange asks at once
  try {
    const answer = await fetch("/", { cache: "no-store", headers: { Accept: "application/json" } });
    const told = answer.headers.get("Content-Type") === "application/json"; // or nobody is signed in any more
    const badge = told ? await answer.json() : { alive: false };
    if (leaving) return;
    if (!badge.alive) {
      location.reload();
      return;
    }
    left.textContent = badge.left;
    ring.setAttribute("stroke-dasharray", badge.dash);
  } catch {
    // PostPal did not answer, which says nothing about the badge.
  }
  clearTimeout(waiting);
  waiting = setTimeout(look, every);
}

if (left && ring) {
  document.addEventListener("visibilitychange", look);
  addEventListener("beforeunload", () => {
    leaving = true;
  });
  look();
}
