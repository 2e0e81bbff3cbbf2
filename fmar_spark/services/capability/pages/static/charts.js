"use strict";
(function () {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const read = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function fade(colour, share) {
    const value = parseInt(colour.slice(1), 16);
    return `rgba(${value >> 16}, ${(value >> 8) & 255}, ${value & 255}, ${share})`;
  }

  function colour(trace) {
    const { fmarColours, fmarBand, ...plain } = trace;
    const chosen = (fmarColours || []).map((pair) => pair[dark.matches ? 1 : 0]);
    if (!chosen.length) return plain;
    if (plain.type === "bar") plain.marker = { color: chosen };
    else if (plain.type === "heatmap") plain.colorscale = [[0, read("--zero")], [1, chosen[0]]];
    else {
      plain.line = { color: chosen[0], width: 2.5, ...plain.line };
      if (fmarBand) plain.fillcolor = fade(chosen[0], 0.18);
    }
    if (plain.error_x) plain.error_x = { ...plain.error_x, color: read("--ink"), thickness: 1.4, width: 5 };
    return plain;
  }

  function layout(figure, width) {
    const axis = { gridcolor: read("--line"), zerolinecolor: read("--line"), linecolor: read("--line"), automargin: true, fixedrange: true };
    const font = { family: "system-ui, sans-serif", size: width < 480 ? 11 : 13, color: read("--ink") };
    return {
      height: figure.height, width, font, showlegend: false, bargap: 0.35,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 10, r: 12, t: 8, b: 44 },
      xaxis: { ...axis, title: { text: figure.xaxis || "", font: { ...font, size: 12, color: read("--soft") } }, nticks: Math.max(4, Math.floor(width / (figure.bars ? 90 : 75))),
               tickangle: 0, ...(figure.bars ? { rangemode: "tozero" } : {}), ...(figure.tickformat ? { tickformat: figure.tickformat } : {}) },
      yaxis: { ...axis, title: { text: figure.yaxis || "", font: { ...font, size: 12, color: read("--soft") } },
               ...(figure.bars || figure.reversed ? { showgrid: false } : { rangemode: "tozero" }),
               ...(figure.reversed ? { autorange: "reversed" } : {}) },
      hoverlabel: { bgcolor: read("--card"), bordercolor: read("--line"), font: { color: read("--ink") } },
    };
  }

  async function drawAll() {
    for (const chart of document.querySelectorAll(".chart-area")) {
      const figure = JSON.parse(chart.querySelector("script").textContent);
      const plot = chart.querySelector(".plot");
      const width = Math.floor(plot.getBoundingClientRect().width);
      await Plotly.react(plot, figure.data.map(colour), layout(figure, width), { displayModeBar: false, responsive: false });
    }
    document.documentElement.dataset.charts = "ready";
  }

  let waiting = 0;
  window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(drawAll, 150); });
  dark.addEventListener("change", drawAll);
  for (const form of document.querySelectorAll("form[data-live]")) {
    form.addEventListener("change", () => form.requestSubmit());
  }
  drawAll();
})();
