// The list of meters and the detail of the chosen one.
const METERS = readMeters();

// One object a meter from the columns and rows of the data.
function readMeters() {
  const columns = DATA.meters;
  const meters = columns.mpan_id.map((mpan, place) => ({
    place, mpan, name: columns.name[place], kind: DATA.fleet_kinds[columns.kind[place]], group: columns.gsp_group_id[place], isDomestic: columns.is_domestic[place],
    days: columns.days_seen[place], interval: columns.interval_minutes[place], hasExport: columns.has_export[place], missing: columns.missing_share[place], implausible: columns.implausible[place], verdict: columns.verdict[place],
    provenance: columns.provenance[place], confusers: columns.confusers[place], lastDay: day(columns.as_of_day[place]), labels: columns.labels[place], detections: [], changes: [], baseline: null, evidence: null,
  }));
  for (const [place, asset, probability, presentProbability, isPresent, tier, status, reason, evidence, ...days] of DATA.detections) {
    const [appeared, appearedEarly, appearedLate, removed, removedEarly, removedLate] = days.map(day);
    meters[place].detections[asset] = { asset, probability, presentProbability, isPresent, tier: tier === null ? null : WORDS.tiers[tier], status: WORDS.statuses[status], reason, evidence,
      appeared, appearedEarly, appearedLate, removed, removedEarly, removedLate, sizes: [] };
  }
  for (const [place, asset, direction, ...rest] of DATA.sizes) {
    const figures = Object.fromEntries(WORDS.size_figures.map((name, position) => [name, rest[position]]));
    meters[place].detections[asset]?.sizes.push({ ...figures, direction: WORDS.directions[direction], events: rest[WORDS.size_figures.length] });
  }
  for (const [place, asset, kind, changed, early, late, before, after] of DATA.changes) meters[place].changes.push({ asset, kind, day: changed, early, late, before, after });
  for (const [place, model, cvRmse, bl01, bias, coverage] of DATA.baselines) meters[place].baseline = { model, cv_rmse: cvRmse, bl01_cv_rmse: bl01, bias, coverage };
  DATA.evidence.forEach((place, pack) => { meters[place].evidence = pack; });
  return meters;
}

function makeChips(meter) {
  return meter.detections.filter((found) => found && found.isPresent).map((found) =>
    make("span", { class: "chip", "data-tier": found.tier, style: `--c: var(--${WORDS.classes[found.asset]})` }, `${CLASS_NAMES[found.asset]}${found.tier === "high" ? "" : `, ${found.tier}`}`));
}

function makeOption(meter) {
  const option = make("li", { role: "option", id: `meter-${meter.place}`, "aria-selected": "false" },
    make("div", { class: "name" }, make("bdi", null, meter.name), kindMark(meter.kind)),
    make("div", { class: "chips" }, makeChips(meter), meter.evidence === null ? make("span", { class: "soft" }, "figures only") : null));
  option.meter = meter;
  return option;
}

const ANSWER_FILTERS = {
  "": () => true,
  present: (found) => found.isPresent === true,
  doubtful: (found) => found.tier === "low",
  dated: (found) => found.appeared !== null || found.removed !== null,
  absent: (found) => found.isPresent === false,
  unanswered: (found) => found.status !== "characterised",
};

function isWanted(meter, wanted) {
  const text = wanted.text.trim().toLowerCase();
  if (text && ![meter.name, meter.mpan, nameGroup(meter.group)].some((field) => field.toLowerCase().includes(text))) return false;
  if (wanted.kind && meter.kind !== wanted.kind) return false;
  if (!wanted.asset && !wanted.answer) return true;
  const asked = meter.detections.filter((found) => found && (wanted.asset === "" || found.asset === Number(wanted.asset)));
  return asked.some(wanted.answer || wanted.asset === "" ? ANSWER_FILTERS[wanted.answer] : ANSWER_FILTERS.present);
}

function nameGroup(group) {
  return group ? `${WORDS.groups[group] ?? ""} (${group})`.trim() : "";
}

// One row a meter and class, as a spreadsheet takes it: no text that it would run as a formula.
const CSV_HEADINGS = ["meter", "mpan_id", "gsp_group", "readings", "days", "asset_class", "answer", "present_probability", "tier", "appeared_date", "removed_date"];

function writeCsv(meters) {
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const rows = meters.flatMap((meter) => meter.detections.filter(Boolean).map((found) => [
    meter.name, meter.mpan, nameGroup(meter.group), meter.kind, meter.days, WORDS.classes[found.asset],
    found.status === "characterised" ? (found.isPresent ? "present" : "absent") : found.status, found.presentProbability, found.tier, found.appeared, found.removed]));
  return [CSV_HEADINGS, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function saveCsv(meters) {
  const address = URL.createObjectURL(new Blob([writeCsv(meters)], { type: "text/csv;charset=utf-8" }));
  make("a", { href: address, download: "meters.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function makeField(text, control) {
  return make("label", { class: "field" }, text, control);
}

function makeSelect(name, choices) {
  return make("select", { name }, choices.map(([value, text]) => make("option", { value }, text)));
}

function startMeters() {
  const section = document.getElementById("meters");
  const search = make("input", { type: "search", name: "text", autocomplete: "off", spellcheck: "false", placeholder: "name, MPAN or area" });
  const asset = makeSelect("asset", [["", "any"], ...CLASS_NAMES.map((name, place) => [String(place), name])]);
  const answer = makeSelect("answer", [["", "any"], ["present", "present"], ["doubtful", "low tier"], ["dated", "appeared or removed"], ["absent", "absent"], ["unanswered", "unanswered"]]);
  const kind = makeSelect("kind", [["", "all kinds"], ...DATA.fleet.map((one) => [one.kind, one.kind])]);
  const count = make("p", { class: "soft", role: "status" });
  const list = make("ul", { id: "list", role: "listbox", tabindex: "0", "aria-label": "Meters; arrow keys move, Enter goes to the evidence" });
  const detail = make("div", { id: "detail", tabindex: "-1", role: "region", "aria-label": "The chosen meter" });
  const save = make("button", { type: "button" }, "Save these as CSV");
  const all = METERS.map(makeOption);
  const state = { shown: all, chosen: null, list, detail };
  const filter = () => {
    const wanted = { text: search.value, asset: asset.value, answer: answer.value, kind: kind.value };
    state.shown = all.filter((option) => isWanted(option.meter, wanted));
    list.replaceChildren(...state.shown);
    count.textContent = `${number(state.shown.length)} of ${counted(METERS.length, "meter")}${DATA.meters_examined > METERS.length ? ` listed, ${number(DATA.meters_examined)} examined` : ""}`;
  };
  [search, asset, answer, kind].forEach((control) => control.addEventListener("input", filter));
  save.addEventListener("click", () => saveCsv(state.shown.map((option) => option.meter)));
  list.addEventListener("click", (event) => choose(state, event.target.closest("li")));
  list.addEventListener("keydown", (event) => moveInList(state, event));
  section.append(make("p", { class: "lead" }, `The evidence of ${counted(DATA.evidence.length, "meter")} is in this file${DATA.evidence.length < METERS.length ? "; of the others the answers. scripts/report --meters FILE adds those that it names" : ""}.`),
    make("div", { class: "workbench" }, make("div", { class: "chooser" }, makeField("Find", search), makeField("Asset", asset), makeField("Answer", answer), DATA.fleet.length > 1 ? makeField("Readings", kind) : null, count, list, save), detail));
  filter();
  const findLinked = () => all.find((option) => location.hash === `#meter=${encodeURIComponent(option.meter.mpan)}`);
  window.addEventListener("hashchange", () => choose(state, findLinked()));
  choose(state, findLinked() || all[DATA.opens_on ?? 0]);
  keepInSight(list, state.chosen);
}

function choose(state, option) {
  if (!option || option === state.chosen) return;
  state.chosen?.setAttribute("aria-selected", "false");
  option.setAttribute("aria-selected", "true");
  state.chosen = option;
  state.list.setAttribute("aria-activedescendant", option.id);
  clearTimeout(state.timer);
  state.timer = setTimeout(() => showMeter(state, option.meter), 90);
}

// Scrolls the list alone, never the page.
function keepInSight(list, option) {
  if (!option) return;
  const above = option.offsetTop - list.offsetTop;
  if (above < list.scrollTop) list.scrollTop = above;
  else if (above + option.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = above + option.offsetHeight - list.clientHeight;
}

function moveInList(state, event) {
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    state.detail.focus();
    state.detail.scrollIntoView({ block: "start" });
  } else if (event.key in steps && !event.altKey && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    const from = state.shown.indexOf(state.chosen);
    const to = Math.max(0, Math.min(state.shown.length - 1, from < 0 ? 0 : from + steps[event.key]));
    choose(state, state.shown[to]);
    keepInSight(state.list, state.shown[to]);
  }
}

function writeAnnual(annual) {
  return annual.kwh === null ? `${number(annual.kwh_per_day, 1)} kWh a day; no annual figure: ${annual.reason}` : `${number(annual.kwh)} kWh a year`;
}

const IMPLAUSIBLE_WORDS = {
  error_code: ["half-hour with an error code", "half-hours with error codes"], spike: ["spike", "spikes"], lump: ["lump after an outage", "lumps after outages"],
  message: ["message with an error code", "messages with error codes"], row: ["row rejected at import", "rows rejected at import"],
};

function writeImplausible(found) {
  return Object.keys(IMPLAUSIBLE_WORDS).filter((what) => found[what]).map((what) => `${number(found[what])} ${IMPLAUSIBLE_WORDS[what][found[what] === 1 ? 0 : 1]}`).join(", ");
}

function makeFacts(meter, evidence) {
  const facts = [
    ["MPAN", make("bdi", null, meter.mpan)], ["GSP group", make("bdi", null, nameGroup(meter.group) || "not stated")], ["Premises", meter.isDomestic === null ? "not stated" : meter.isDomestic ? "household" : "business"],
    ["Readings", [`${counted(meter.days, "day")} up to `, make("span", { class: "whole" }, meter.lastDay)]], ["Missing", percent(meter.missing, 2)], ["Step of the source", `${number(meter.interval)} minutes`],
    ["Export register", meter.hasExport ? "yes" : "none"], ["Origin", make("bdi", null, meter.provenance || "no label")],
    ...(meter.implausible ? [["Left out as implausible", writeImplausible(meter.implausible)]] : []),
    ...(evidence ? [["Import", writeAnnual(evidence.annual)]] : []),
    ...(meter.confusers ? [["Look-alikes by its label", make("bdi", null, meter.confusers.replaceAll("_", " ").replaceAll(",", ", "))]] : []),
  ];
  return make("dl", { class: "facts" }, facts.map(([name, value]) => make("div", null, make("dt", null, name), make("dd", null, value))));
}

function makeChanges(meter) {
  if (!meter.changes.length) return null;
  return make("div", { class: "card" }, make("h4", null, "What changed, and when"), makeTable("changes", "gold.asset_changes", [["day", false], ["class", false], ["kind", false], ["80 % between", false], ["kW before", true], ["kW after", true]],
    meter.changes.map((change) => [day(change.day), CLASS_NAMES[change.asset], change.kind, `${day(change.early) ?? "–"} and ${day(change.late) ?? "–"}`, number(change.before, 1), number(change.after, 1)])));
}

async function showMeter(state, meter) {
  const evidence = meter.evidence === null ? null : await unpackEvidence(meter.evidence);
  const head = make("div", { class: "card" }, make("div", { class: "title" }, make("h3", null, make("bdi", null, meter.name)), kindMark(meter.kind), makeChips(meter), make("a", { href: `#meter=${encodeURIComponent(meter.mpan)}` }, "Link to this meter")), makeFacts(meter, evidence));
  if (state.chosen?.meter !== meter) return;
  forgetCharts(state.detail);
  state.detail.replaceChildren(head, makeVerdicts(meter), ...[makeChanges(meter)].filter(Boolean));
  state.detail.dataset.meter = meter.mpan;
  if (evidence === null) {
    state.detail.append(make("p", { class: "missing" }, "The evidence of this meter is not in this file. Name it in a file, one MPAN or series id a line, and run scripts/report --meters FILE."));
    return;
  }
  const oneDay = makeDay(evidence);
  state.detail.append(make("div", { class: "grid" }, makeCarpet(evidence, meter, (place) => oneDay.show(place)), oneDay, makeFlatRuns(evidence), makeTypicalDays(evidence), makeSunDip(evidence), makeHeating(evidence),
    makeBaseline(evidence, meter), makeAvailability(evidence), makeCoverage(evidence)));
}
