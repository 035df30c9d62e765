// What Gradio says in a note that goes away (a wrong file, too many requests) stays where the page's other sentences are.
new MutationObserver(() => {
  const line = [...document.querySelectorAll(".said")].find((one) => one.offsetParent);
  for (const note of document.querySelectorAll(".toast-body.error")) {
    const text = note.querySelector(".toast-message-text")?.innerText.replace("Only image/* allowed", "Only pictures are taken");
    if (!line || !text || line.innerText === text) continue;
    line.className = "said wrong";
    line.setAttribute("role", "alert");
    line.innerText = text;
    note.querySelector(".toast-close")?.click();
  }
}).observe(document, { childList: true, subtree: true });
