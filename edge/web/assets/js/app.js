// What every page gains from a script. Each part finds its elements by data attributes and leaves the rest alone;
// without this file every form and link still works.

const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => within.querySelectorAll(selector);

/** Shows a short message at the edge of the screen. */
export function toast(text, link) {
  const box = document.createElement("div");
  box.className = "toast";
  box.append(text);
  if (link) {
    const anchor = document.createElement("a");
    anchor.href = link.href;
    anchor.textContent = link.label;
    box.append(anchor);
  }
  one("#toasts")?.replaceChildren(box);
  setTimeout(() => box.remove(), 6000);
}

// Times in the reader's own zone, written as the rest of the page writes them.
const local = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
function localTimes(within) {
  for (const time of all("time[data-local]", within)) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.valueOf())) time.textContent = local.format(at);
    time.removeAttribute("data-local");
  }
}

// Forms that send themselves when a choice changes; their button is only for those without a script.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-autosubmit]");
  if (form) form.requestSubmit();
});

// − and + beside a quantity.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-step]");
  if (!button) return;
  const input = one("input", button.closest(".stepper"));
  const next = Number(input.value || 0) + Number(button.dataset.step);
  const clamped = Math.min(Number(input.max || 999), Math.max(Number(input.min || 0), next));
  if (clamped === Number(input.value)) return;
  input.value = clamped;
  input.dispatchEvent(new Event("change", { bubbles: true }));
});

// Asking before what cannot be undone.
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !window.confirm(question)) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, true);

// A form sent twice by impatience is sent once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || form.hasAttribute("hx-post")) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "true";
  setTimeout(() => delete form.dataset.sent, 4000);
});

// Menus close by Escape and by a click elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of all("details.menu[open]")) {
    menu.open = false;
    one("summary", menu)?.focus();
  }
});

// Filters that are not set stay out of the address.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") return;
  for (const [name, value] of [...event.detail.formData]) if (value === "") event.detail.formData.delete(name);
});

// Colours, without leaving the page.
one("[data-theme-switch]")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  const theme = event.submitter?.value ?? "system";
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const button of all("button", form)) button.setAttribute("aria-pressed", String(button.value === theme));
  const body = new URLSearchParams(new FormData(form));
  body.set("theme", theme);
  fetch(form.action, { method: "POST", body, redirect: "manual" });
});

// Suggestions under the search field: arrows choose, Enter goes, Escape closes.
for (const box of all("[data-suggest]")) {
  const input = one("input[type=search]", box);
  const list = one(".suggest", box);
  let asked = 0;
  let timer = 0;
  const close = () => {
    asked += 1;
    list.replaceChildren();
  };
  const ask = async () => {
    const number = (asked += 1);
    const query = input.value.trim();
    if (query.length < 2) return close();
    const answer = await fetch(`${box.dataset.suggest}?q=${encodeURIComponent(query)}`, { headers: { "HX-Request": "true" } }).catch(() => null);
    if (!answer?.ok || number !== asked) return;
    const html = await answer.text();
    if (number === asked) list.innerHTML = html;
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 110);
  });
  input.addEventListener("keydown", (event) => {
    const links = [...all("a", list)];
    if (event.key === "Escape" && links.length) {
      event.preventDefault();
      close();
    }
    if (!["ArrowDown", "ArrowUp"].includes(event.key) || !links.length) return;
    event.preventDefault();
    (event.key === "ArrowDown" ? links.at(0) : links.at(-1)).focus();
  });
  list.addEventListener("keydown", (event) => {
    const links = [...all("a", list)];
    const here = links.indexOf(document.activeElement);
    if (event.key === "Escape") {
      close();
      input.focus();
    }
    if (!["ArrowDown", "ArrowUp"].includes(event.key)) return;
    event.preventDefault();
    const next = here + (event.key === "ArrowDown" ? 1 : -1);
    (links[next] ?? input).focus();
  });
  box.addEventListener("focusout", (event) => {
    if (!box.contains(event.relatedTarget)) setTimeout(close, 120);
  });
}

// The search field by voice, where the browser can listen: what is heard is searched for when the speaker pauses.
const Recognition = window.SpeechRecognition ?? window.webkitSpeechRecognition;
for (const button of Recognition ? all("button[data-listen]") : []) {
  const input = one("input[type=search]", button.form);
  const listening = new Recognition();
  listening.lang = document.documentElement.lang || "en";
  listening.interimResults = true;
  const heard = (on) => button.setAttribute("aria-pressed", String(on));
  button.hidden = false;
  button.addEventListener("click", () => (button.getAttribute("aria-pressed") === "true" ? listening.stop() : listening.start()));
  listening.addEventListener("start", () => heard(true));
  listening.addEventListener("end", () => heard(false));
  listening.addEventListener("error", (event) => {
    if (event.error !== "aborted") toast(event.error === "not-allowed" ? "The microphone is not allowed for this page." : "Nothing was heard. Please try again.");
  });
  listening.addEventListener("result", (event) => {
    const results = [...event.results];
    input.value = results.map((result) => result[0].transcript).join(" ").trim();
    if (results.every((result) => result.isFinal) && input.value) button.form.requestSubmit();
  });
}

// A gallery's small pictures move the large one.
document.addEventListener("click", (event) => {
  const thumb = event.target.closest(".thumbs a[href^='#']");
  const target = thumb && document.getElementById(thumb.hash.slice(1));
  if (!target) return;
  event.preventDefault();
  const stage = target.closest(".stage");
  stage.scrollTo({ left: target.offsetLeft - stage.offsetLeft, behavior: "smooth" });
  for (const other of all("a", thumb.closest(".thumbs"))) other.removeAttribute("aria-current");
  thumb.setAttribute("aria-current", "true");
});

// The server may tell something with a partial answer.
document.addEventListener("toast", (event) => toast(event.detail.text, event.detail.href && { href: event.detail.href, label: event.detail.label }));
document.addEventListener("htmx:responseError", () => toast("That did not work. Please try again."));
document.addEventListener("htmx:sendError", () => toast("You seem to be offline."));
document.addEventListener("htmx:load", (event) => localTimes(event.target));

localTimes(document);
if ("serviceWorker" in navigator && window.isSecureContext) navigator.serviceWorker.register("/sw.js").catch(() => {});
