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

// What took long once is asked as a job: it tells how far it is, and can be stopped.
const LONG_MS = 1000;
const visit = performance.getEntriesByType("navigation")[0];
let took = visit ? visit.responseStart - visit.requestStart : 0;
let stop = () => {};

async function begin(text, signal) {
  const reply = await fetch("/api/v1/jobs", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ task: form.dataset.job, query: text }),
    signal,
  });
  return reply.ok ? reply.json() : null; // what is wrong with it, the answer says
}

function follow(job, signal) {
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", "Computing");
  const words = document.createElement("span");
  words.textContent = "Computing ";
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Cancel";
  const line = document.createElement("p");
  line.className = "job";
  line.append(bar, words, button);
  answer.prepend(line);
  return new Promise((over) => {
    const events = new EventSource(job.links.events);
    const end = (went) => {
      events.close();
      line.remove();
      stop = () => {};
      over(went);
    };
    stop = () => {
      fetch(job.links.self, { method: "DELETE" });
      end(false);
    };
    events.addEventListener("progress", (event) => {
      const { done, total, what } = JSON.parse(event.data).progress;
      if (total > 0) {
        bar.max = total;
        bar.value = done;
      }
      words.textContent = what ? what[0].toUpperCase() + what.slice(1) + " " : "Waiting ";
    });
    ["done", "failed"].forEach((name) => events.addEventListener(name, () => end(true)));
    events.addEventListener("cancelled", () => end(false));
    button.addEventListener("click", stop);
    signal.addEventListener("abort", stop);
  });
}

async function swap(text) {
  if (asked) asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  answer.setAttribute("aria-busy", "true");
  const began = performance.now();
  try {
    if (form.dataset.job && took > LONG_MS) {
      const job = await begin(text, signal);
      if (job && !(await follow(job, signal))) {
        if (!signal.aborted) answer.removeAttribute("aria-busy");
        return;
      }
    }
    const reply = await fetch(form.dataset.answer + "?" + text, { signal });
    answer.innerHTML = await reply.text();
    took = performance.now() - began;
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

// A file goes with what is typed by then.
document.querySelectorAll("form[data-send]").forEach((send) => {
  send.addEventListener("submit", () => {
    send.action = send.action.split("?")[0] + "?" + query();
  });
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy || location.href);
  button.textContent = "Copied";
});

// A chart that comes into view says its values under the pointer; the picture stays where that cannot be.
const bundle = document.currentScript.dataset.bundle;
let drawer = null;

function loaded() {
  drawer ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.type = "module";
    script.src = bundle;
    script.onload = done;
    script.onerror = failed;
    document.head.append(script);
    const tooltip = document.createElement("div"); // Vega would put it beside the page's landmarks
    tooltip.id = "vg-tooltip-element";
    document.querySelector("main").append(tooltip);
  });
  return drawer;
}

async function draw(figure) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const [reply] = await Promise.all([
    fetch(`${figure.dataset.chart}.${dark ? "dark" : "light"}.json?${figure.dataset.query}`),
    loaded(),
  ]);
  if (!reply.ok) return;
  const place = document.createElement("div");
  const title = figure.querySelector("figcaption").textContent;
  await window.vegaEmbed(place, { ...(await reply.json()), description: title }, {
    ast: true, // no code from text, which our policy forbids
    actions: false,
    renderer: "svg",
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  });
  figure.querySelector("picture").replaceWith(place);
}

const inView = new IntersectionObserver((seen) => {
  seen.filter((one) => one.isIntersecting).forEach(({ target }) => {
    inView.unobserve(target);
    draw(target).catch(() => {});
  });
});

function watchCharts() {
  if (bundle) document.querySelectorAll("figure[data-chart]").forEach((figure) => inView.observe(figure));
}

watchCharts();
document.addEventListener("answered", watchCharts);

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
