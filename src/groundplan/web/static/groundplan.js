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
