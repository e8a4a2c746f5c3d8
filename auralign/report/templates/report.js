// Tables that sort and filter (DataTables), downloads, and figures that enlarge. Without scripts the page reads the same.
"use strict";

function download(name, url) {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}

// the full numbers, not the rounded ones that are shown; the rows and the order that are shown
function asTsv(table) {
  const clean = (text) => text.trim().replace(/\s+/g, " ");
  const lines = [[...table.tHead.rows[0].cells].map((cell) => clean(cell.textContent))];
  for (const row of table.tBodies[0].rows) {
    if (row.cells.length === lines[0].length) {
      lines.push([...row.cells].map((cell) => cell.dataset.order ?? clean(cell.textContent)));
    }
  }
  return lines.map((line) => line.join("\t")).join("\n") + "\n";
}

function prepare(details) {
  if (details.dataset.ready) return;
  details.dataset.ready = "yes";
  const element = details.querySelector("table");
  const tools = details.querySelector(".tools");
  const rows = element.tBodies[0].rows.length;
  const table = new DataTable(element, {
    paging: false, info: false, autoWidth: false, order: [],
    layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null },
    language: { emptyTable: "no rows", zeroRecords: "no row holds all these words" },
  });
  const status = tools.querySelector("[role=status]");
  tools.querySelector("input").addEventListener("input", (event) => {
    table.search(event.target.value).draw();
    status.textContent = `${table.rows({ search: "applied" }).count()} of ${rows} rows`;
  });
  const button = tools.querySelector("[data-download]");
  button.addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([asTsv(element)], { type: "text/tab-separated-values" }));
    download(button.dataset.download, url);
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  });
  tools.hidden = false;
}

// a table is prepared when it is first opened, so that many tables do not slow the page down
for (const details of document.querySelectorAll("details.table")) {
  if (details.open) prepare(details);
  details.addEventListener("toggle", () => details.open && prepare(details));
}

// a figure that is wider than a small window scrolls in its frame, which the keyboard must then reach
const frames = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const scrolls = target.scrollWidth > target.clientWidth;
    target.toggleAttribute("data-scrolls", scrolls);
    if (scrolls) target.tabIndex = 0; else target.removeAttribute("tabindex");
  }
});
for (const frame of document.querySelectorAll(".drawn")) frames.observe(frame);

const dialog = document.getElementById("zoom");
const large = dialog.querySelector(".canvas").appendChild(new Image());
for (const figure of document.querySelectorAll("figure")) {
  const image = figure.querySelector("img");
  figure.querySelector(".tools").hidden = false;
  figure.querySelector("[data-enlarge]").addEventListener("click", () => {
    large.src = image.currentSrc || image.src;
    large.alt = image.alt;
    document.getElementById("zoom-title").textContent = figure.querySelector("h3, h4, h5").textContent;
    dialog.showModal();
    const canvas = dialog.querySelector(".canvas");
    const ratio = image.naturalHeight / image.naturalWidth;
    large.style.width = `${Math.round(Math.min(canvas.clientWidth, canvas.clientHeight / ratio))}px`;
  });
  const save = figure.querySelector("[data-save]");
  save.addEventListener("click", (event) => {
    event.preventDefault();
    download(save.dataset.save, image.src);
  });
}
for (const button of dialog.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => {
    large.style.width = `${Math.round(large.getBoundingClientRect().width * Number(button.dataset.zoom))}px`;
  });
}
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
