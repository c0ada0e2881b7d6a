// Uploads with progress: <form data-upload> with a file input, a <progress hidden> and an element data-upload-state.
// Without a script the form is sent as it is.

for (const form of document.querySelectorAll("form[data-upload]")) {
  const input = form.querySelector("input[type=file]");
  const bar = form.querySelector("progress");
  const state = form.querySelector("[data-upload-state]");
  const drop = form.querySelector(".drop");
  const say = (text) => {
    if (state) state.textContent = text;
  };

  form.addEventListener("submit", (event) => {
    if (!input.files.length) return;
    event.preventDefault();
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.addEventListener("progress", (move) => {
      if (!move.lengthComputable) return;
      bar.hidden = false;
      bar.max = move.total;
      bar.value = move.loaded;
      say(`${Math.round((100 * move.loaded) / move.total)} % of ${input.files[0].name}`);
    });
    request.addEventListener("load", () => {
      // The server answers a redirect, which the request has followed: go where it ended.
      if (request.status < 400 && request.responseURL) location.assign(request.responseURL);
      else document.documentElement.innerHTML = request.responseText;
    });
    request.addEventListener("error", () => say("The upload broke off. Check your connection and try again."));
    for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = true;
    request.send(new FormData(form));
  });

  if (!drop) continue;
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) input.files = event.dataTransfer.files;
  });
}
