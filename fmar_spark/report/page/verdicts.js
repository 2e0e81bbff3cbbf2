// Baseline and availability of one meter, and its answers in sentences.
function makeBaseline(evidence, meter) {
  const predicted = evidence.baseline;
  const errors = meter.baseline;
  const bl01 = errors && errors.bl01_cv_rmse !== null ? number(errors.bl01_cv_rmse, 2) : "none: it needs earlier days of which every half-hour was read";
  const score = errors ? `Day ahead over its last 30 days: CV(RMSE) ${number(errors.cv_rmse, 2)} (BL01 ${bl01}), ${percent(errors.coverage)} of half-hours inside the 80 % interval.` : "";
  const label = (slot) => `${day(evidence.start + Math.floor(slot / SLOTS))} ${clockTime(slot % SLOTS)}`;
  const x = predicted ? predicted.slot.map(label) : [];
  const line = (name, values, own) => ({ type: "scatter", mode: "lines", name, x, y: values, hovertemplate: "%{x}: %{y:.3f} kWh, %{fullData.name}<extra></extra>", ...own });
  return makeFigure({
    name: "baseline", title: "Baseline against readings", isWide: true, height: 320,
    note: predicted ? `Net energy of each half-hour, predicted from the days before it (model ${predicted.model}, last day used ${predicted.trained_to}), with its 80 % interval. ${score}` : score,
    missing: "gold.baseline_predictions has no row for this meter; jobs/predict_baseline.py --from DATE --to DATE makes them.",
    plot: predicted ? () => ({
      data: [
        line("10 % bound", predicted.p10_kwh, { line: { width: 0, color: colour("accent") }, showlegend: false, hoverinfo: "skip", hovertemplate: null }),
        line("80 % interval", predicted.p90_kwh, { line: { width: 0, color: colour("accent") }, fill: "tonexty", fillcolor: `${colour("accent")}33`, hoverinfo: "skip", hovertemplate: null }),
        line("predicted", predicted.predicted_kwh, { line: { color: colour("accent"), width: 2 } }),
        line("measured", predicted.actual_kwh, { line: { color: colour("ink"), width: 1.5 } }),
      ],
      layout: { xaxis: { type: "date" }, yaxis: { title: { text: "net kWh" } } },
    }) : null,
    table: () => makeTable("baseline", "Net energy of each half-hour, kWh", [["from (local clock)", false], ["predicted", true], ["10 %", true], ["90 %", true], ["measured", true]],
      x.map((time, place) => [time, ...["predicted_kwh", "p10_kwh", "p90_kwh", "actual_kwh"].map((name) => number(predicted[name][place], 3))])),
  });
}

function makeAvailability(evidence) {
  const found = evidence.availability;
  const pairs = [...new Set(found.map(([asset, direction]) => `${asset}-${direction}`))].sort();
  const seasons = [...new Set(found.map((row) => row[2]))].sort();
  let pair = pairs[0];
  let season = seasons[0];
  const current = () => found.find((row) => `${row[0]}-${row[1]}` === pair && row[2] === season);
  const week = (values) => DAY_NAMES.map((_, weekday) => values.slice(weekday * SLOTS, (weekday + 1) * SLOTS));
  const pairName = (name) => {
    const [asset, direction] = name.split("-").map(Number);
    return `${CLASS_NAMES[asset]}, ${WORDS.directions[direction]}`;
  };
  const figure = makeFigure({
    name: "availability", title: "Availability: how often it operates", isWide: true, height: 290,
    note: "Percent of the observed weeks in which the asset was operating, by weekday and clock time.",
    missing: "No asset was found, so there is no availability.",
    before: pairs.length ? make("div", null,
      makeChoices("Asset:", "available", pairs.map((name) => [name, pairName(name)]), pair, (value) => { pair = value; figure.redraw(); }),
      makeChoices("Season:", "season", seasons.map((code) => [String(code), WORDS.seasons[code]]), String(season), (value) => { season = Number(value); figure.redraw(); })) : null,
    plot: pairs.length ? () => ({
      data: [{ type: "heatmap", x: CLOCK, y: DAY_NAMES, z: current() ? week(current()[4]) : DAY_NAMES.map(() => Array(SLOTS).fill(null)), zmin: 0, zmax: 100,
        colorscale: [[0, colour("zero")], [0.5, colour("medium")], [1, colour("high")]], xgap: 1, ygap: 1, colorbar: { title: { text: "%", side: "right" }, thickness: 12, outlinewidth: 0 }, hovertemplate: "%{y} %{x}: %{z} %<extra></extra>" }],
      layout: { xaxis: { type: "category", tickvals: CLOCK.filter((_, slot) => slot % 8 === 0), showgrid: false }, yaxis: { type: "category", autorange: "reversed", showgrid: false } },
    }) : null,
    table: () => makeTable("availability", `${pairName(pair)}, ${WORDS.seasons[season]}: percent of observed weeks`, [["from", false], ...DAY_NAMES.map((name) => [name, true])],
      current() ? [...CLOCK.map((time, slot) => [time, ...week(current()[4]).map((row) => number(row[slot]))]), ["weeks observed", ...current()[3].map((weeks) => number(weeks))]] : []),
  });
  return figure;
}

function between(early, late) {
  return early && late && early !== late ? ` (80 % between ${early} and ${late})` : "";
}

// One answer as sentences: present or absent, evidence, size, dates.
function verdictSentences(found) {
  if (found.status !== "characterised") return [`${STATUS_WORDS[found.status] || found.status}: ${(found.reason || "").replaceAll("_", " ")}`];
  // Rounded down: never to the bound of a tier that it does not reach.
  const confidence = Math.floor(100 * Math.max(found.presentProbability, 1 - found.presentProbability) + 1e-6) / 100;
  const sure = `${percent(confidence)} sure, ${found.tier} tier`;
  const wasThere = !found.isPresent && found.removed ? ", removed" : "";
  const sentences = [`${found.isPresent ? "present" : `absent${wasThere}`} (${sure}).`];
  if (found.evidence) sentences.push(`${found.evidence[0].toUpperCase()}${found.evidence.slice(1)}.`);
  for (const size of found.sizes) {
    const range = (name) => size[`${name}_lower`] === null ? "" : ` (80 % ${number(size[`${name}_lower`], 1)} to ${number(size[`${name}_upper`], 1)})`;
    const storage = size.storage_kwh === null ? "" : `, ${number(size.storage_kwh, 1)} kWh of storage${range("storage_kwh")}`;
    const peak = size.peak_kwp === null ? "" : `, ${number(size.peak_kwp, 1)} kWp${range("peak_kwp")}`;
    sentences.push(`Size ${number(size.rated_kw, 1)} kW ${size.direction}${range("rated_kw")}${storage}${peak}; ${counted(size.events, "episode")}.`);
  }
  if (found.appeared) sentences.push(`Appeared on ${found.appeared}${between(found.appearedEarly, found.appearedLate)}.`);
  else if (found.isPresent) sentences.push("Present from the first day.");
  if (found.removed) sentences.push(`Removed on ${found.removed}${between(found.removedEarly, found.removedLate)}.`);
  return sentences;
}

function makeVerdicts(meter) {
  const list = make("ul", { class: "verdicts" }, meter.detections.filter(Boolean).map((found) => {
    const [answer, ...rest] = verdictSentences(found);
    const label = meter.labels[found.asset];
    return make("li", { class: found.isPresent ? null : "absent", style: `--c: var(--${WORDS.classes[found.asset]})`, "data-verdict": WORDS.classes[found.asset] },
      make("span", { class: "answer" }, `${CLASS_NAMES[found.asset]}: ${answer} `), make("bdi", null, rest.join(" ")),
      label === null ? null : make("span", { class: "soft" }, ` Label: ${label ? "has one at some time" : "has none"}.`));
  }));
  const table = make("details", { class: "data" }, make("summary", null, "Table: answers"), makeTable("verdicts", "Answers as gold.asset_detections holds them",
    [["class", false], ["status", false], ["p(ever present)", true], ["p(present now)", true], ["tier", false], ["appeared", false], ["removed", false], ["evidence", false]],
    meter.detections.filter(Boolean).map((found) => [CLASS_NAMES[found.asset], STATUS_WORDS[found.status] || found.status, percent(found.probability, 1), percent(found.presentProbability, 1), found.tier ?? "–", found.appeared ?? "–", found.removed ?? "–", make("bdi", null, found.evidence ?? "–")])));
  return make("div", { class: "card" }, make("h4", null, "Answers"), list, table);
}
