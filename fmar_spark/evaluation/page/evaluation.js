// The evaluation: figures by kind of readings, in groups, in other circumstances, mistakes and transfer.
const KINDS = Object.keys(DATA.evaluation.kinds);
const LEFT_OUT_SHOWN = 20;

function showTable(table) {
  const column = table.columns.findIndex(([heading]) => heading === "meter");
  const rows = table.rows.map((row, place) => row.map((cell, position) => {
    const isLinked = position === column && table.links.length && DATA.evidence_file;
    return isLinked ? make("a", { href: `${DATA.evidence_file}#meter=${table.links[place]}` }, make("bdi", null, cell)) : make("bdi", null, cell);
  }));
  return makeTable(table.name, table.title, table.columns, rows);
}

function tablesOf(kind, part) {
  return DATA.tables.filter((table) => table.kind === kind && table.part === part);
}

function showCard(table) {
  return make("div", { class: "card" }, make("h4", null, table.title), table.note ? make("p", { class: "soft" }, table.note) : null, showTable(table));
}

function foldTable(table) {
  return make("details", { class: "data" }, make("summary", null, `Table: ${table.title}`), showTable(table));
}

function drawGroups(kind) {
  const tables = tablesOf(kind, "groups");
  const named = (name) => tables.find((table) => table.name === name);
  const classesOf = (groups) => Object.fromEntries(Object.entries(groups).map(([name, group]) => [name, group.classes]));
  const charts = Object.entries(DATA.evaluation.kinds[kind].groups).flatMap(([subject, groups]) => {
    const words = DATA.subject_words[subject];
    const figure = subject === "confuser" ? "false_alarm_share" : "auc";
    const table = named(`${words}-${figure}`.replaceAll(" ", "_"));
    return table ? [makeMarks({ name: `groups-${subject}`, title: table.title, groups: classesOf(groups), figure, axis: subject === "confuser" ? "share of meters without the asset" : "AUC", table: () => showTable(table) })] : [];
  });
  return [make("div", { class: "grid" }, charts), ...tables.map(foldTable)];
}

function drawCircumstances(kind) {
  const circumstances = DATA.evaluation.kinds[kind].circumstances;
  const tables = tablesOf(kind, "circumstances");
  if (!tables.length) return [make("p", { class: "missing" }, "Not asked for: ./scripts/evaluate --circumstances characterises the same meters again, cut short, with gaps, without weather and without export.")];
  const chart = (figure, words) => makeMarks({
    name: `circumstances-${figure}`, title: `${words} by circumstance, ${kind} meters`, groups: circumstances, figure, axis: words,
    table: () => showTable(tables.find((table) => table.name === `circumstance-${figure}`)),
  });
  return [make("div", { class: "grid" }, chart("auc", "AUC"), chart("recall", "Recall")), ...tables.map(foldTable)];
}

function drawKind(kind) {
  const fill = (id, ...content) => {
    const body = document.getElementById(`${id}-body`);
    forgetCharts(body);
    body.replaceChildren(...content.flat());
  };
  const reliability = make("div", { class: "grid" }, DATA.words.classes.map((asset) => makeReliability(kind, asset)));
  fill("score", tablesOf(kind, "overview").map(showCard), tablesOf(kind, "score").map(foldTable), reliability);
  fill("groups", drawGroups(kind));
  fill("circumstances", drawCircumstances(kind));
  const wrong = tablesOf(kind, "mistakes");
  fill("mistakes", wrong.length ? wrong.map(showCard) : make("p", { class: "lead" }, "No labelled answer is wrong."), tablesOf(kind, "answers").map(showCard));
}

function drawTransfer() {
  const section = document.getElementById("transfer");
  const transfer = DATA.evaluation.transfer;
  if (!transfer || !Object.keys(transfer.kinds).length) {
    section.append(make("p", { class: "missing" }, "Too few measured meters in this lake, or no simulated ones to hold them against (--against LAKE)."));
    return;
  }
  for (const kind of Object.keys(transfer.kinds)) {
    const table = tablesOf(kind, "transfer")[0];
    section.append(make("p", { class: "lead" }, table.note), make("div", { class: "grid" }, makeTransfer(kind, table)));
  }
}

function showWarnings() {
  const { training } = DATA.evaluation;
  const place = document.getElementById("warnings");
  for (const warning of training.warnings) place.append(make("p", { class: "privacy", role: "note" }, make("strong", null, "Warning. "), warning));
  if (!training.left_out.length) return;
  const names = training.left_out.slice(0, LEFT_OUT_SHOWN).map((one) => one.name).join(", ");
  const more = training.left_out.length > LEFT_OUT_SHOWN ? ", …" : "";
  place.append(make("p", { class: "privacy", role: "note" }, make("strong", null, `Not scored, the classifier has learnt from them: ${counted(training.left_out.length, "meter")}: `), make("bdi", null, names + more)));
}

function startEvaluation() {
  showWarnings();
  const score = document.getElementById("score");
  score.append(make("p", { class: "lead" }, "Labels: ", make("bdi", null, DATA.evaluation.labels.map((one) => `${one.name} (${counted(one.meters, "meter")}${one.unknown ? `, ${number(one.unknown)} not in the lake` : ""}${one.withheld ? `, ${number(one.withheld)} not scored: they do not pass the consent check` : ""})`).join("; ")),
    `. No figure is given of fewer than ${DATA.evaluation.rules.least_meters} meters. Real, semi-synthetic and simulated meters are never counted together.`));
  score.append(makeChoices("Readings:", "kind", KINDS.map((kind) => [kind, `${kind} (${number(DATA.evaluation.kinds[kind].meters)})`]), KINDS[0], drawKind));
  for (const id of ["score", "groups", "circumstances", "mistakes"]) document.getElementById(id).append(make("div", { id: `${id}-body` }));
  drawKind(KINDS[0]);
  drawTransfer();
}

startEvaluation();
requestAnimationFrame(() => setTimeout(startPlotly, 0));
