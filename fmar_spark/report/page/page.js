// What every part of the page shares: the data, words for people, elements made from text only, numbers and days.
const DATA = JSON.parse(document.getElementById("data").textContent);
const WORDS = DATA.words;
const CLASS_WORDS = WORDS.class_words;
const ANSWER_WORDS = {
  present_high: "present, high", present_medium: "present, medium", present_low: "present, low", absent: "absent",
  in_progress: "in progress", not_observable: "not observable",
};
const STATUS_WORDS = { in_progress: "in progress", not_observable: "not observable" };
const CLASS_NAMES = WORDS.classes.map((name) => CLASS_WORDS[name]);
const DAY_NAMES = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const SLOTS = 48;
const MILLISECONDS_A_DAY = 86400000;

// An element with attributes and children; text is only ever set as text.
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined).map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

// Text for plotly, which reads tags in labels.
function plain(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function counted(value, noun) {
  return `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
}

function number(value, digits = 0) {
  if (value === null || value === undefined) return "–";
  return value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function percent(value, digits = 0) {
  return value === null || value === undefined ? "–" : `${number(value * 100, digits)} %`;
}

function day(count) {
  return count === null || count === undefined ? null : new Date(count * MILLISECONDS_A_DAY).toISOString().slice(0, 10);
}

function clockTime(slot) {
  return `${String(Math.floor(slot / 2)).padStart(2, "0")}:${slot % 2 ? "30" : "00"}`;
}

const CLOCK = Array.from({ length: SLOTS }, (_, slot) => clockTime(slot));

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function kindMark(kind) {
  return make("span", { class: "kind", "data-kind": kind }, kind);
}

// Names of bins that begin at the edges, the last of them open.
function nameBins(edges, write) {
  return edges.map((edge, place) => (place + 1 < edges.length ? `${write(edge)}–${write(edges[place + 1])}` : `${write(edge)} or more`));
}

// A table: columns are [heading, is a number], rows are arrays of texts, numbers or elements.
function makeTable(name, caption, columns, rows) {
  const cell = (tag, value, isNumber, scope) => make(tag, { class: isNumber ? "number" : null, scope }, value instanceof Node ? value : value ?? "–");
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    make("table", { "data-table": name },
      make("caption", null, caption),
      make("thead", null, make("tr", null, columns.map(([heading, isNumber]) => cell("th", heading, isNumber, "col")))),
      make("tbody", null, rows.map((row) => make("tr", null, row.map((value, place) => cell(place ? "td" : "th", value, columns[place][1], place ? null : "row")))))));
}

// Radio buttons: the browser's own keys move between them.
function makeChoices(legend, name, choices, chosen, onChange) {
  return make("fieldset", { class: "choices" }, make("legend", null, legend),
    choices.map(([value, text]) => {
      const input = make("input", { type: "radio", name, value, checked: value === chosen });
      input.addEventListener("change", () => onChange(value));
      return make("label", null, input, text);
    }));
}

// The theme: the system's until the reader switches.
const THEMES = ["system", "light", "dark"];
const systemIsDark = window.matchMedia("(prefers-color-scheme: dark)");
let theme = 0;
const onTheme = [];

function applyTheme() {
  const isDark = theme === 2 || (theme === 0 && systemIsDark.matches);
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  document.getElementById("theme").textContent = `Theme: ${THEMES[theme]}`;
  onTheme.forEach((act) => act());
}

systemIsDark.addEventListener("change", applyTheme);
document.getElementById("theme").addEventListener("click", () => {
  theme = (theme + 1) % THEMES.length;
  applyTheme();
});
applyTheme();
