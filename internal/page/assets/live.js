// What a page does more where scripts run. Every page works without it: what is alive is read anew by loading the page again,
// and what is to be copied is selected by one click.

// Part of a page that is alive: <div id="…" data-live="5">. Every so many seconds it is fetched anew from the page's own address,
// or from data-from, and swapped for the element of the same id. One that comes back without data-live has come to its end.
function follow(part) {
  const seconds = Number(part.dataset.live);
  if (!part.id || !(seconds >= 1)) return;
  setTimeout(async () => {
    if (!document.hidden) {
      const next = await fetched(part.dataset.from || location.href, part.id);
      if (!part.isConnected) return;
      if (next && next.innerHTML !== part.innerHTML && !part.contains(document.activeElement)) {
        part.replaceWith(next);
        for (const words of next.querySelectorAll("[data-say]")) say(words.textContent);
        dress(next);
        part = next;
      } else if (next && !("live" in next.dataset)) {
        return;
      }
    }
    follow(part);
  }, seconds * 1000);
}

// fetched reads an element of a page of this server; null where it cannot be had now, which is tried again.
async function fetched(address, id) {
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-store", redirect: "error" });
    if (!answer.ok) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
  } catch {
    return null;
  }
}

// say tells who cannot see it what has just changed.
function say(text) {
  const said = document.getElementById("said");
  if (said) setTimeout(() => (said.textContent = text.trim()), 150);
}

// copyable gives what is to be copied a button: <code data-copy="what it is">.
function copyable(code) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${code.dataset.copy}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    say(button.textContent);
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  code.closest("pre, .once").append(button);
}

// dress does for a part what is done once for the whole page.
function dress(part) {
  for (const code of part.querySelectorAll("[data-copy]")) copyable(code);
}

// sent keeps a form that was sent from being sent again by a second click.
addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) event.preventDefault();
  if (form.method === "post") form.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

dress(document);
for (const part of document.querySelectorAll("[data-live]")) follow(part);
for (const told of document.querySelectorAll(".alert[role]")) say(told.textContent);
