// Swaps the answer while one types; the address is always the whole input. Without it every form still works.
"use strict";
const form = document.querySelector("form[data-answer]");
const answer = document.getElementById("answer");
let timer = 0;
let asked = null;

function query() {
  const pairs = [...new FormData(form)].filter(([, value]) => typeof value === "string" && value.trim() !== "");
  return new URLSearchParams(pairs).toString();
}

async function swap(text) {
  if (asked) asked.abort();
  asked = new AbortController();
  answer.setAttribute("aria-busy", "true");
  try {
    const reply = await fetch(form.dataset.answer + "?" + text, { signal: asked.signal });
    answer.innerHTML = await reply.text();
    answer.removeAttribute("aria-busy");
    document.dispatchEvent(new Event("answered"));
  } catch (error) {
    if (error.name === "AbortError") return;
    answer.removeAttribute("aria-busy");
    answer.innerHTML = '<div class="error" role="alert"><p class="what">The server does not answer.</p></div>';
  }
}

if (form && answer) {
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      history.replaceState(null, "", "?" + query());
      swap(query());
    }, 250);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    history.pushState(null, "", "?" + query());
    swap(query());
  });
  addEventListener("popstate", () => location.reload());
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy || location.href);
  button.textContent = "Copied";
});

// A calculator inside the guide: the first line of its answer changes in place.
document.querySelectorAll("form[data-live]").forEach((live) => {
  let waiting = 0;
  live.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const pairs = [...new FormData(live)].filter(([, value]) => value.trim() !== "");
      const reply = await fetch(live.dataset.live + "?" + new URLSearchParams(pairs));
      const found = new DOMParser().parseFromString(await reply.text(), "text/html").querySelector(".headline, .what");
      const line = live.querySelector(".headline");
      line.textContent = found ? found.textContent : "";
      line.classList.toggle("bad", !reply.ok);
    }, 250);
  });
});

// Left and right turn the pages of the guide.
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, textarea, select, pre, .scroll")) return;
  const link = { ArrowLeft: "a[rel=prev]", ArrowRight: "a[rel=next]" }[event.key];
  const found = link && document.querySelector(link);
  if (found) found.click();
});
