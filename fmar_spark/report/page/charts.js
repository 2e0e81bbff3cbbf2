// Charts: each is drawn when it comes into sight, drawn again when the theme changes, and has a table of the same figures.
const drawn = new Map();
let plotlyIsThere = false;
const waiting = [];

function layoutOf(own) {
  const axis = { gridcolor: colour("line"), zerolinecolor: colour("soft"), linecolor: colour("line"), automargin: true, fixedrange: false };
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: colour("ink"), size: 12 },
    margin: { l: 52, r: 12, t: 8, b: 40 }, hovermode: "closest", barmode: "stack", dragmode: false,
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, traceorder: "normal", font: { size: 11 } },
    hoverlabel: { bgcolor: colour("card"), font: { color: colour("ink") }, bordercolor: colour("line") },
    ...own,
  };
  for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) layout[name] = { ...axis, ...layout[name] };
  for (const name of ["xaxis", "yaxis"]) layout[name] = layout[name] || { ...axis };
  return layout;
}

const CONFIG = { displaylogo: false, responsive: true, displayModeBar: false, scrollZoom: false, showTips: false };

function draw(place) {
  const chart = drawn.get(place);
  if (!chart || !chart.isSeen || !place.isConnected) return;
  if (!plotlyIsThere) {
    waiting.push(place);
    return;
  }
  const made = chart.plot(place.clientWidth);
  place.classList.remove("waiting");
  Plotly.react(place, made.data, layoutOf(made.layout || {}), CONFIG).then(() => {
    place.dataset.drawn = "yes";
    if (chart.onClick && !chart.isListening) {
      place.on("plotly_click", chart.onClick);
      chart.isListening = true;
    }
  });
}

const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const chart = drawn.get(entry.target);
    if (entry.isIntersecting && chart && !chart.isSeen) {
      chart.isSeen = true;
      draw(entry.target);
    }
  }
}, { rootMargin: "200px" });

onTheme.push(() => drawn.forEach((_, place) => draw(place)));

// A figure with its title, what it shows, the chart, and its table: { name, title, note, height, isWide, plot, table, onClick, before }.
function makeFigure(wanted) {
  const place = make("div", { class: "plot waiting", role: "img", "aria-label": `${wanted.title}. The same figures stand in the table below.`, style: `height:${wanted.height || 300}px` });
  const table = make("details", { class: "data" }, make("summary", null, `Table: ${wanted.title}`));
  table.addEventListener("toggle", () => {
    if (table.open && table.childElementCount === 1) table.append(wanted.table());
  });
  const isEmpty = !wanted.plot;
  const figure = make("figure", { class: wanted.isWide ? "chart wide" : "chart", "data-figure": wanted.name },
    make("figcaption", null, make("h4", null, wanted.title), wanted.note ? make("p", null, wanted.note) : null),
    wanted.before || null, isEmpty ? make("p", { class: "missing" }, wanted.missing) : place, isEmpty ? null : table);
  if (!isEmpty) {
    drawn.set(place, { plot: wanted.plot, onClick: wanted.onClick, isSeen: false, isListening: false });
    watcher.observe(place);
  }
  figure.redraw = () => {
    draw(place);
    if (table.childElementCount > 1) table.lastElementChild.replaceWith(wanted.table());
  };
  return figure;
}

// Lets go of the charts inside an element that is about to be emptied.
function forgetCharts(element) {
  for (const place of element.querySelectorAll(".plot")) {
    watcher.unobserve(place);
    if (plotlyIsThere && place.dataset.drawn) Plotly.purge(place);
    drawn.delete(place);
  }
}

// Runs plotly after the page was first drawn: reading does not wait for drawing.
function startPlotly() {
  const source = document.getElementById("plotly");
  const script = document.createElement("script");
  script.textContent = source.textContent;
  document.head.append(script);
  source.remove();
  plotlyIsThere = true;
  waiting.splice(0).forEach(draw);
  document.documentElement.dataset.charts = "ready";
}
