// Charts of an evaluation; every one has a table of the same figures.
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross"];

function makeReliability(kind, asset) {
  const figures = DATA.evaluation.kinds[kind].classes[asset];
  const curves = [["ever", "there at some time"], ["now", "there on the last day"]].map(([question, words]) => [words, figures[question].reliability]);
  const title = `${CLASS_WORDS[asset]}: stated against observed`;
  const rows = curves.flatMap(([words, bins]) => bins.map((bin) => [words, number(bin.examples), percent(bin.stated, 1), percent(bin.observed, 1)]));
  return makeFigure({
    name: `reliability-${asset}`, title, height: 280,
    note: "On the dotted line a stated probability is the share that is observed. A larger mark rests on more meters.",
    missing: "No answer about this class has a label.",
    plot: rows.length ? () => ({
      data: [
        { type: "scatter", mode: "lines", x: [0, 1], y: [0, 1], name: "honest", line: { color: colour("soft"), dash: "dot" }, hoverinfo: "skip" },
        ...curves.map(([words, bins], place) => ({
          type: "scatter", mode: "lines+markers", name: words, x: bins.map((bin) => bin.stated), y: bins.map((bin) => bin.observed),
          marker: { color: colour(place ? "medium" : asset), symbol: SYMBOLS[place], size: bins.map((bin) => 5 + 2 * Math.log2(1 + bin.examples)) }, line: { color: colour(place ? "medium" : asset) },
          customdata: bins.map((bin) => bin.examples), hovertemplate: "stated %{x:.2f}, observed %{y:.2f}, %{customdata} meters<extra></extra>",
        })),
      ],
      layout: { xaxis: { title: { text: "stated" }, range: [-0.02, 1.02] }, yaxis: { title: { text: "observed" }, range: [-0.02, 1.02] } },
    }) : null,
    table: () => makeTable(`reliability-${asset}`, title, [["there", false], ["meters", true], ["stated", true], ["observed", true]], rows),
  });
}

// Figures with their intervals: one mark a class in each group.
function makeMarks(wanted) {
  const names = Object.keys(wanted.groups);
  const traces = DATA.words.classes.map((asset, place) => {
    const known = names.map((name) => [name, wanted.groups[name][asset][wanted.figure]]).filter(([, figure]) => figure.value !== null);
    return { asset, place, known };
  }).filter((trace) => trace.known.length);
  return makeFigure({
    name: wanted.name, title: wanted.title, isWide: true, height: Math.max(300, 130 + 30 * names.length), note: wanted.note,
    missing: "Too few meters in every group.",
    plot: traces.length ? () => ({
      data: traces.map(({ asset, place, known }) => ({
        type: "scatter", mode: "markers", name: CLASS_WORDS[asset], y: known.map(([name]) => plain(name)), x: known.map(([, figure]) => figure.value),
        error_x: { type: "data", symmetric: false, thickness: 1, color: colour(asset),
          array: known.map(([, figure]) => (figure.interval ? figure.interval[1] - figure.value : 0)), arrayminus: known.map(([, figure]) => (figure.interval ? figure.value - figure.interval[0] : 0)) },
        marker: { color: colour(asset), symbol: SYMBOLS[place], size: 9 }, hovertemplate: "%{y}, %{fullData.name}: %{x:.3f}<extra></extra>",
      })),
      layout: { xaxis: { title: { text: wanted.axis } }, yaxis: { type: "category", autorange: "reversed" } },
    }) : null,
    table: () => wanted.table(),
  });
}

// Measured meters over the simulated range of each feature.
const SHOWN_FEATURES = 30;
const WIDEST = 12;

function makeTransfer(kind, table) {
  const features = DATA.evaluation.transfer.kinds[kind].features.slice(0, SHOWN_FEATURES);
  const clip = (value) => Math.max(-WIDEST, Math.min(WIDEST, value));
  const names = features.map((one) => one.feature);
  const bar = (low, high, name, opacity) => ({
    type: "bar", orientation: "h", name, y: names, base: features.map((one) => clip(one.simulated_range[low])), opacity,
    x: features.map((one) => clip(one.simulated_range[high]) - clip(one.simulated_range[low])), marker: { color: colour("accent") }, hoverinfo: "skip",
  });
  return makeFigure({
    name: "transfer", title: `Measured (${kind}) over simulated evidence`, isWide: true, height: 140 + 22 * names.length,
    note: `The features on which answers rest most and that lie farthest apart, first ones first. Zero is the simulated median, one unit half of its interquartile range; what lies beyond ${WIDEST} units is drawn there.`,
    plot: () => ({
      data: [bar(0, 3, "simulated, 1 to 99 %", 0.18), bar(1, 2, "simulated, middle half", 0.35),
        { type: "scatter", mode: "markers", name: `${kind} meters`, y: features.flatMap((one) => one.values.map(() => one.feature)), x: features.flatMap((one) => one.values.map(clip)),
          marker: { color: colour("heat_pump"), size: 7, line: { color: colour("card"), width: 0.5 } }, hovertemplate: "%{y}: %{x:.2f}<extra></extra>" }],
      layout: { barmode: "overlay", yaxis: { type: "category", autorange: "reversed" }, xaxis: { title: { text: "half interquartile ranges from the simulated median" } } },
    }),
    table: () => showTable(table),
  });
}
