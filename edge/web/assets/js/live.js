// Live parts: an element with data-live="/orders/…/live" listens there and puts each message (HTML) in its own place.

for (const part of document.querySelectorAll("[data-live]")) {
  let source = null;
  const listen = () => {
    source?.close();
    source = new EventSource(part.dataset.live);
    source.addEventListener("update", (event) => {
      const focused = document.activeElement?.id;
      // What somebody has typed stays.
      const typed = [...part.querySelectorAll("input[id]")].map((input) => [input.id, input.value]);
      part.innerHTML = event.data;
      for (const [id, value] of typed) {
        const input = document.getElementById(id);
        if (input) input.value = value;
      }
      if (focused) document.getElementById(focused)?.focus();
      window.htmx?.process(part);
      document.dispatchEvent(new CustomEvent("htmx:load", { detail: { elt: part } }));
    });
    source.addEventListener("end", () => source.close());
  };
  listen();
  // A hidden page holds no connection; browsers allow only six to one host.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) source.close();
    else if (source.readyState === EventSource.CLOSED) listen();
  });
}
