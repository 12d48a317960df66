"use strict";
// Search and filters of the index, paging and filtering of rows, and copy buttons. Without scripts all datasets and the
// first page of rows are there.

const figure = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");

const element = (name, properties, ...children) => {
  const created = Object.assign(document.createElement(name), properties);
  created.append(...children);
  return created;
};

const search = document.getElementById("search");
if (search) {
  const query = document.getElementById("query");
  const filters = [...search.querySelectorAll("select")];
  const cards = [...document.querySelectorAll("#cards > li")];
  const count = document.getElementById("count");
  const none = document.getElementById("none");

  const show = () => {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    let matches = 0;
    for (const card of cards) {
      const isMatch =
        words.every((word) => card.dataset.text.includes(word)) &&
        filters.every(({ value, dataset }) => !value || card.dataset[dataset.filter].split("\n").includes(value));
      card.hidden = !isMatch;
      matches += isMatch;
    }
    count.textContent = matches === cards.length ? `${matches} datasets` : `${matches} of ${cards.length} datasets`;
    none.hidden = matches > 0;
    const state = new URLSearchParams();
    if (query.value) state.set("q", query.value);
    for (const { value, dataset } of filters) if (value) state.set(dataset.filter, value);
    // After the #: a page opened from disk may not change any other part of its address.
    history.replaceState(null, "", `#${state}`);
  };

  const restore = () => {
    if (location.hash === "#main") return; // the skip link, not a search
    const state = new URLSearchParams(location.hash.slice(1));
    query.value = state.get("q") ?? "";
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
    query.focus();
  });
  addEventListener("hashchange", restore);
  restore();
}

const blocks = [...document.querySelectorAll(".first-rows")];
if (blocks.length > 1) {
  const options = blocks.map((block) => element("option", { textContent: block.dataset.split }));
  const select = element("select", { autocomplete: "off" }, ...options);
  const show = () => blocks.forEach((block, index) => (block.hidden = index !== select.selectedIndex));
  for (const block of blocks) block.querySelector("h3").remove(); // the selected option says it
  select.addEventListener("change", show);
  blocks[0].before(element("label", { className: "tools" }, "Split", select));
  show();
}

for (const block of blocks) {
  const data = block.querySelector("script");
  if (!data) continue; // all rows are shown
  const { rows, pictures } = JSON.parse(data.textContent);
  const texts = rows.map((row) => row.join("\n").toLowerCase());
  const body = block.querySelector("tbody");
  const size = body.rows.length;
  const isNumeric = [...block.querySelectorAll("thead th")].slice(1).map((head) => head.classList.contains("n"));
  const total = Number(block.dataset.total);
  const scope = rows.length < total ? `the first ${figure(rows.length)} of ${figure(total)} rows` : `${figure(total)} rows`;
  let matches = [...rows.keys()];
  let first = 0;

  const cell = (text, column, picture) => {
    const className = isNumeric[column] ? "n" : text.length > 40 ? "long" : "";
    const created = element("td", { className, textContent: text });
    if (picture && column === 0) created.prepend(element("img", { src: picture, alt: "" }));
    return created;
  };
  const show = () => {
    const page = matches.slice(first, first + size);
    const lines = page.map((row) => {
      const cells = rows[row].map((text, column) => cell(text, column, pictures[row]));
      return element("tr", {}, element("th", { scope: "row", className: "n", textContent: row }), ...cells);
    });
    body.replaceChildren(...lines);
    const range = page.length > 1 ? `${figure(first + 1)}–${figure(first + page.length)}` : figure(first + 1);
    const plural = matches.length === 1 ? "match" : "matches";
    if (!page.length) status.textContent = `No match in ${scope}`;
    else if (matches.length === rows.length) status.textContent = `${range} of ${scope}`;
    else status.textContent = `${range} of ${figure(matches.length)} ${plural} in ${scope}`;
    previous.ariaDisabled = first === 0;
    next.ariaDisabled = first + size >= matches.length;
  };
  const turn = (button, step) =>
    button.addEventListener("click", () => {
      if (button.ariaDisabled === "true") return; // and not disabled, which would lose the focus
      first += step;
      show();
    });

  const filter = element("input", { type: "search", autocomplete: "off" });
  const status = element("p", { className: "count", role: "status" });
  const previous = element("button", { type: "button", textContent: "Previous" });
  const next = element("button", { type: "button", textContent: "Next" });
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    matches = [...rows.keys()].filter((row) => words.every((word) => texts[row].includes(word)));
    first = 0;
    show();
  });
  turn(previous, -size);
  turn(next, size);
  const label = element("label", {}, "Filter rows", filter);
  block.querySelector(".wide").before(element("div", { className: "tools" }, label, previous, next, status));
  show();
}

// Scripts may copy on this machine, over https and from disk alone.
for (const program of navigator.clipboard ? document.querySelectorAll(".program") : []) {
  const button = element("button", { type: "button" });
  const title = program.querySelector("figcaption");
  const name = title.textContent;
  const say = (word) => {
    button.textContent = word;
    button.ariaLabel = `${word}: ${name}`;
  };
  say("Copy");
  button.addEventListener("click", async () => {
    const code = program.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      say("Copied");
    } catch {
      getSelection().selectAllChildren(code); // for Ctrl-C
      say("Selected");
    }
    setTimeout(say, 2000, "Copy");
  });
  title.append(button);
}
