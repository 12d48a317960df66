"use strict";
// Search and filters of the index, and a button that copies a program. Without scripts all datasets are listed.

const search = document.getElementById("search");
if (search) {
  const words = document.getElementById("words");
  const filters = [...search.querySelectorAll("select")];
  const cards = [...document.querySelectorAll("#cards > li")];
  const found = document.getElementById("found");
  const none = document.getElementById("none");

  const show = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const card of cards) {
      const fits =
        wanted.every((word) => card.dataset.words.includes(word)) &&
        filters.every(({ value, dataset }) => !value || card.dataset[dataset.filter].split("\n").includes(value));
      card.hidden = !fits;
      shown += fits;
    }
    found.textContent = shown === cards.length ? `${shown} datasets` : `${shown} of ${cards.length} datasets`;
    none.hidden = shown > 0;
    const state = new URLSearchParams();
    if (words.value) state.set("q", words.value);
    for (const { value, dataset } of filters) if (value) state.set(dataset.filter, value);
    // The part after #, for a page of the disk may not change any other part of its address.
    history.replaceState(null, "", `#${state}`);
  };

  const restore = () => {
    if (location.hash === "#main") return; // the way past the head of the page, not a search
    const state = new URLSearchParams(location.hash.slice(1));
    words.value = state.get("q") ?? "";
    for (const filter of filters) {
      filter.value = state.get(filter.dataset.filter) ?? "";
      if (filter.selectedIndex < 0) filter.value = "";
    }
    show();
  };

  search.hidden = false;
  search.addEventListener("input", show);
  search.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("clear").addEventListener("click", () => {
    search.reset();
    show();
    words.focus();
  });
  addEventListener("hashchange", restore);
  restore();
}

// Only this machine, https and files let scripts copy.
for (const block of navigator.clipboard ? document.querySelectorAll(".code") : []) {
  const button = document.createElement("button");
  const say = (word) => {
    button.textContent = word;
    button.setAttribute("aria-label", `${word}: ${block.dataset.title}`);
  };
  button.type = "button";
  say("Copy");
  button.addEventListener("click", async () => {
    const code = block.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      say("Copied");
    } catch {
      getSelection().selectAllChildren(code); // which the keyboard copies
      say("Selected");
    }
    setTimeout(say, 2000, "Copy");
  });
  block.append(button);
}
