// Filters, sorts and shortens the table of tensors. Without scripts the whole table is there.
"use strict";
(() => {
  const table = document.querySelector("table.tensors");
  if (!table) return;
  const FEW = 60;
  const form = document.querySelector("form.filter");
  const status = document.querySelector(".status");
  const more = document.querySelector("button.more");
  const body = table.tBodies[0];
  let rows = [...body.rows];
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase().replace(/\s+/g, " ")]));
  const total = rows.length;
  let all = false;

  function matches(row, wanted) {
    for (const [name, value] of wanted) {
      if (!value) continue;
      if (name === "text") {
        if (!value.toLowerCase().split(/\s+/).every((word) => texts.get(row).includes(word))) return false;
      } else if (row.dataset[name] !== value) {
        return false;
      }
    }
    return true;
  }

  function show() {
    const wanted = [...new FormData(form)];
    let found = 0;
    for (const row of rows) {
      const match = matches(row, wanted);
      found += match;
      row.hidden = !match || (!all && found > FEW);
    }
    const shown = all ? found : Math.min(found, FEW);
    const number = (value) => value.toLocaleString("en");
    status.textContent = (shown < found ? `The first ${number(shown)} of ${number(found)}` : number(found)) +
      (found < total ? ` that match, of ${number(total)} tensors` : " tensors");
    more.hidden = found <= FEW;
    more.textContent = all ? `Show the first ${FEW}` : `Show all ${number(found)}`;
  }

  function value(row, column) {
    const cell = row.cells[column];
    if (cell.dataset.value !== undefined) return cell.dataset.value === "" ? -Infinity : Number(cell.dataset.value);
    if (column === 4) return (cell.textContent.match(/\d+/g) || []).reduce((product, side) => product * side, 1);
    return cell.classList.contains("n") ? -Infinity : cell.textContent;
  }

  function sort(heading, column) {
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = rows.map((row) => [value(row, column), row]);
    keyed.sort(([a], [b]) => (down ? -1 : 1) * (typeof a === "number" && typeof b === "number"
      ? (a < b ? -1 : a > b ? 1 : 0) : String(a).localeCompare(String(b), "en", {numeric: true})));
    rows = keyed.map(([, row]) => row);
    body.append(...rows);
    show();
  }

  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => sort(heading, column));
    heading.replaceChildren(button);
  });
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { all = false; show(); });
  more.addEventListener("click", () => { all = !all; show(); });
  show();
})();
