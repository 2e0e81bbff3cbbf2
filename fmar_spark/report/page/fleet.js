// The fleet by kind of readings, the quality of the data, rejections and runs.
function drawFleet(kind) {
  const body = document.getElementById("fleet-body");
  const quality = document.getElementById("quality-body");
  [body, quality].forEach(forgetCharts);
  body.replaceChildren(makeNumbers(kind), make("div", { class: "grid" }, makeAnswers(kind), makeSizes(kind), makeAreas(kind), makeDates(kind)));
  quality.replaceChildren(make("div", { class: "grid" }, makeMissing(kind), makeDays(kind)), makeUnanswered(kind));
}

// The kind of readings that the page opens on: the first of which an asset was found.
function firstKind() {
  const present = (kind) => kind.answers.reduce((sum, row) => sum + row[0] + row[1] + row[2], 0);
  return DATA.fleet.find((kind) => present(kind) > 0) || DATA.fleet[0];
}

// What the readings are, in one line.
function describeKinds() {
  const counts = DATA.fleet.map((kind) => `${number(kind.meters)} ${kind.kind}`);
  const total = `${number(DATA.meters_examined)} ${DATA.meters_examined === 1 ? "meter was" : "meters were"} examined: ${counts.join(", ")}. `;
  const isSimulated = DATA.fleet.some((kind) => kind.kind === "simulated");
  return total + (isSimulated ? "The readings of simulated meters are generated, with assets that are known; they show and test the engine and say nothing about real homes. " : "")
    + (DATA.fleet.length > 1 ? "Figures of different kinds are never added up." : "");
}

function startFleet() {
  const section = document.getElementById("fleet");
  const quality = document.getElementById("quality");
  const known = DATA.intake.connections;
  section.append(make("p", { class: "lead" }, describeKinds()));
  if (!DATA.fleet.length) section.append(make("p", { class: "missing" }, "No meter may be shown: none passes the consent check."));
  const opened = firstKind();
  if (DATA.fleet.length > 1) {
    section.append(makeChoices("Readings:", "fleet-kind", DATA.fleet.map((one) => [one.kind, `${one.kind} (${number(one.meters)})`]), opened.kind,
      (value) => drawFleet(DATA.fleet.find((one) => one.kind === value))));
  }
  section.append(make("div", { id: "fleet-body", "aria-live": "off" }));
  quality.append(make("p", { class: "lead" },
    `${number(DATA.meters_examined)} of ${number(known.known)} known connections were examined. `
    + (known.rejected.length ? `Of the others: ${known.rejected.map(([reason, meters]) => `${number(meters)} (${reason})`).join(", ")}. ` : "")
    + (known.withheld ? `${counted(known.withheld, "meter")} examined before ${known.withheld === 1 ? "is" : "are"} not shown: consent or legal basis has ended since. ` : "")
    + `${counted(DATA.intake.readings.meter_days, "meter-day")} of readings, `, make("span", { class: "whole" }, DATA.intake.readings.first_day || "–"), " to ", make("span", { class: "whole" }, DATA.intake.readings.last_day || "–"), "."),
  make("div", { id: "quality-body" }));
  if (opened) drawFleet(opened);
  startRejected();
  startRuns();
}

// What was found, a class a tile: the largest first; classes without any in one line.
function makeNumbers(kind) {
  const found = CLASS_NAMES.map((name, place) => ({ name, place, present: kind.answers[place][0] + kind.answers[place][1] + kind.answers[place][2], high: kind.answers[place][0], kw: kind.sizes.totals[place][1], sized: kind.sizes.totals[place][0] }));
  const shown = found.filter((one) => one.present > 0).sort((left, right) => right.present - left.present);
  const none = found.filter((one) => one.present === 0).map((one) => one.name);
  const tile = (one) => make("li", null, make("b", null, number(one.present)), `${one.name}: ${number(one.high)} with high confidence, ${number(one.kw)} kW ${WORDS.main_directions[one.place]} in all${one.sized < one.present ? `, ${number(one.present - one.sized)} without a size` : ""}`);
  const title = make("h3", null, `Found in ${number(kind.meters)} `, kindMark(kind.kind), ` ${kind.meters === 1 ? "meter" : "meters"}`);
  return make("div", { "data-numbers": kind.kind }, title,
    shown.length ? make("ul", { class: "numbers" }, shown.map(tile)) : null,
    shown.length ? make("p", { class: "soft" }, "In all: the sum of the sizes found. Installed power of an area is another figure, an estimate of all that is there: each asset counts by its probability, one without a size like the others, corrected by how far such sums lay from the truth in simulated fleets.") : null,
    none.length ? make("p", { class: "soft" }, `${shown.length ? "Not found" : "No asset found"}: ${none.join(", ")}.`) : null,
    DATA.opens_on === null ? null : makeInvitation());
}

// One meter to begin with: its answers agree with its labels where there are any.
function makeInvitation() {
  const meter = METERS[DATA.opens_on];
  const present = meter.detections.filter((one) => one && one.isPresent).map((one) => CLASS_NAMES[one.asset]);
  const labelled = meter.detections.filter((one) => one && one.probability !== null && meter.labels[one.asset] !== null);
  const agrees = labelled.length && labelled.every((one) => meter.labels[one.asset] === (one.probability >= 0.5));
  const link = make("a", { href: "#meters" }, make("bdi", null, meter.name));
  return make("p", null, "Begin with meter ", link, " ", kindMark(meter.kind), present.length ? `: ${present.join(", ")}` : ": no asset", agrees ? "; every answer agrees with its label." : ".");
}

function makeAnswers(kind) {
  const shown = WORDS.answers.map((answer, place) => [answer, place]).filter(([answer]) => answer.startsWith("present"));
  return makeFigure({
    name: "answers", title: "Assets by class and tier", height: 320,
    note: "Meters that hold the asset on the last day of their readings. Tier is the confidence in the answer: high 90 % or more, medium 70 %, low below.",
    plot: () => ({
      data: shown.map(([answer, place]) => ({
        type: "bar", name: ANSWER_WORDS[answer].replace("present, ", ""), x: CLASS_NAMES, y: kind.answers.map((row) => row[place]),
        marker: { color: colour(answer.replace("present_", "")), line: { color: colour("soft"), width: 0.5 } }, hovertemplate: "%{x}, %{fullData.name}: %{y}<extra></extra>",
      })),
      layout: { yaxis: { title: { text: "meters" }, rangemode: "nonnegative" } },
    }),
    table: () => makeTable("answers", `Answers by class, ${kind.kind} meters`, [["class", false], ...WORDS.answers.map((answer) => [ANSWER_WORDS[answer], true])],
      kind.answers.map((row, place) => [CLASS_NAMES[place], ...row.map((value) => number(value))])),
  });
}

function makeSizes(kind) {
  const bins = nameBins(kind.sizes.edges, (edge) => number(edge));
  const used = bins.map((_, bin) => kind.sizes.counts.some((row) => row[bin] > 0));
  const keep = (row) => row.filter((_, bin) => used[bin]);
  return makeFigure({
    name: "sizes", title: "Assets by size", height: 320,
    note: "Best estimate of the power of those present: import, for solar PV export (AC).",
    missing: "No asset of this kind has a size.",
    plot: used.some(Boolean) ? () => ({
      data: WORDS.classes.map((name, place) => ({
        type: "bar", name: CLASS_NAMES[place], x: keep(bins), y: keep(kind.sizes.counts[place]), marker: { color: colour(name) },
        hovertemplate: "%{fullData.name}, %{x}: %{y}<extra></extra>",
      })),
      layout: { yaxis: { title: { text: "assets" } }, xaxis: { type: "category", title: { text: "kW" } } },
    }) : null,
    table: () => makeTable("sizes", `Assets by size, ${kind.kind} meters`,
      [["class", false], ["direction", false], ["with a size", true], ["median kW", true], ["sum kW", true], ...keep(bins).map((bin) => [`${bin} kW`, true])],
      kind.sizes.counts.map((row, place) => {
        const [meters, sum, median, direction] = kind.sizes.totals[place];
        return [CLASS_NAMES[place], direction, number(meters), number(median, 2), number(sum, 1), ...keep(row).map((value) => number(value))];
      })),
  });
}

function areaName(row) {
  if (row[0] === null) return "not stated";
  return row[1] === null ? row[0] : `${row[0]} ${row[1]}`;
}

function makeAreas(kind) {
  return makeFigure({
    name: "areas", title: "Assets by GSP group", height: Math.max(260, 90 + 26 * kind.areas.length),
    note: "Present assets in each settlement area. A meter with two assets counts twice.",
    plot: () => ({
      data: WORDS.classes.map((name, place) => ({
        type: "bar", orientation: "h", name: CLASS_NAMES[place], y: kind.areas.map((row) => plain(areaName(row))), x: kind.areas.map((row) => row[3 + place]),
        marker: { color: colour(name) }, hovertemplate: "%{y}, %{fullData.name}: %{x}<extra></extra>",
      })),
      layout: { xaxis: { title: { text: "assets" } }, yaxis: { type: "category", autorange: "reversed" } },
    }),
    table: () => makeTable("areas", `Meters and present assets by GSP group, ${kind.kind} meters`, [["GSP group", false], ["meters", true], ...CLASS_NAMES.map((name) => [name, true])],
      kind.areas.map((row) => [make("bdi", null, areaName(row)), ...row.slice(2).map((value) => number(value))])),
  });
}

function makeDates(kind) {
  const classes = WORDS.classes.length;
  const months = kind.months.map((row) => row[0]);
  return makeFigure({
    name: "months", title: "Dates of appearance and removal", height: Math.max(260, 90 + 26 * kind.areas.length),
    note: "Assets whose first day lies inside the readings, by month; below the line those removed. An asset that was there from the first day has no date: "
      + `${number(kind.since_start.reduce((sum, value) => sum + value, 0))} of those present.`,
    missing: "No asset of this kind appeared or was removed within the readings.",
    plot: months.length ? () => ({
      data: WORDS.classes.flatMap((name, place) => [
        { type: "bar", name: CLASS_NAMES[place], x: months, y: kind.months.map((row) => row[1 + place]), marker: { color: colour(name) }, hovertemplate: "%{x}: %{y} appeared, %{fullData.name}<extra></extra>" },
        { type: "bar", name: `${CLASS_NAMES[place]} removed`, showlegend: false, x: months, y: kind.months.map((row) => -row[1 + classes + place]), marker: { color: colour(name), opacity: 0.55 }, hovertemplate: "%{x}: %{y} removed, %{fullData.name}<extra></extra>" },
      ]),
      layout: { barmode: "relative", yaxis: { title: { text: "assets" } }, xaxis: { type: "category" } },
    }) : null,
    table: () => makeTable("months", `Assets that appeared and were removed by month, ${kind.kind} meters`,
      [["month", false], ...CLASS_NAMES.map((name) => [`${name}: appeared`, true]), ...CLASS_NAMES.map((name) => [`${name}: removed`, true])],
      [...kind.months.map(([month, ...rest]) => [month, ...rest.map((value) => number(value))]),
        ["there from the first day", ...kind.since_start.map((value) => number(value)), ...kind.since_start.map(() => "")]]),
  });
}

function makeBins(name, title, note, binned, write, kind) {
  const bins = nameBins(binned.edges, write);
  return makeFigure({
    name, title, note, height: 250,
    plot: () => ({
      data: [{ type: "bar", x: bins, y: binned.counts, marker: { color: colour("accent") }, hovertemplate: "%{x}: %{y} meters<extra></extra>" }],
      layout: { yaxis: { title: { text: "meters" } }, xaxis: { type: "category" } },
    }),
    table: () => makeTable(name, `${title}, ${kind.kind} meters`, [[title, false], ["meters", true]], bins.map((bin, place) => [bin, number(binned.counts[place])])),
  });
}

function makeMissing(kind) {
  return makeBins("missing", "Share of half-hours missing", `Between each meter's first and last day. Median ${percent(kind.median_missing, 2)}.`, kind.missing, (edge) => percent(edge, edge > 0 && edge < 0.01 ? 1 : 0), kind);
}

function makeDays(kind) {
  return makeBins("days", "Days with readings", `Local days of the window that was examined. Median ${counted(kind.median_days, "day")}.`, kind.days, (edge) => number(edge), kind);
}

function makeUnanswered(kind) {
  const asked = kind.meters * WORDS.classes.length;
  const open = kind.unanswered.reduce((sum, row) => sum + row[3], 0);
  const lead = `Questions (one a meter and class) without an answer yet, or that cannot have one: ${number(open)} of ${number(asked)}.`;
  return make("div", { class: "card" }, make("h4", null, "In progress or not observable, and why"), make("p", { class: "soft" }, lead),
    kind.unanswered.length
      ? makeTable("unanswered", `Unanswered questions, ${kind.kind} meters`, [["status", false], ["reason", false], ["class", false], ["meters", true]],
        kind.unanswered.map(([status, reason, asset, meters]) => [STATUS_WORDS[status] || status, make("bdi", null, reason.replaceAll("_", " ")), CLASS_WORDS[asset] || asset, number(meters)]))
      : null);
}

function startRejected() {
  const section = document.getElementById("rejected");
  const rules = DATA.intake.rejected;
  const total = rules.reduce((sum, rule) => sum + rule.rows_rejected, 0);
  section.append(make("p", { class: "lead" }, rules.length
    ? `Messages or rows in bronze.quarantine: ${number(total)}, each with the rule that it broke. Their content stays in the lake and is not quoted here.`
    : "None: every message and row passed the rules."));
  if (!rules.length) return;
  section.append(make("div", { class: "grid" }, makeFigure({
    name: "rejected", title: "Rejected messages and rows by rule", isWide: true, height: Math.max(160, 60 + 28 * rules.length),
    plot: () => ({
      data: [{ type: "bar", orientation: "h", y: rules.map((rule) => plain(rule.rule)), x: rules.map((rule) => rule.rows_rejected), marker: { color: colour("soft") }, hovertemplate: "%{y}: %{x}<extra></extra>" }],
      layout: { xaxis: { title: { text: "rejected" } }, yaxis: { type: "category", autorange: "reversed" } },
    }),
    table: () => makeTable("rejected", "Rejected messages and rows by rule, with examples", [["rule", false], ["rejected", true], ["sources", true], ["newest (UTC)", false], ["for example", false]],
      rules.map((rule) => [make("bdi", null, rule.rule), number(rule.rows_rejected), number(rule.sources), rule.newest,
        make("ul", null, rule.examples.map(([source, reason]) => make("li", null, make("bdi", null, source), ": ", make("bdi", null, reason))))])),
  })));
}

function startRuns() {
  const section = document.getElementById("runs");
  section.append(make("p", { class: "lead" }, `Package ${DATA.version}; classifier `, make("bdi", null, DATA.intake.models.join(", ") || "none"), "."),
    makeTable("runs", "Last run of each step (ops.run_journal)",
      [["step", false], ["status", false], ["started (UTC)", false], ["seconds", true], ["rows kept", true], ["rows rejected", true], ["error", false]],
      DATA.intake.runs.map(([step, status, started, seconds, kept, rejected, error]) => [make("bdi", null, step), status, started, number(seconds, 1), number(kept), number(rejected), error === null ? "" : make("bdi", null, error)])),
    make("details", { class: "data" }, make("summary", null, "Versions of the tables"),
      makeTable("tables", "Delta version of each table that the report rests on", [["table", false], ["version", true]], DATA.intake.tables.map(([name, version]) => [name, number(version)]))));
}
