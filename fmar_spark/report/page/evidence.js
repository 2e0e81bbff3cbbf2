// The evidence of one meter: unpacked when its meter is chosen, then drawn in the order in which a reader checks.
async function unpackEvidence(place) {
  const coded = atob(document.getElementById(`evidence-${place}`).textContent);
  const bytes = Uint8Array.from(coded, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const data = await new Response(stream).arrayBuffer();
  const length = new DataView(data).getUint32(0, true);
  const evidence = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  const powers = Float32Array.from({ length: 256 }, (_, byte) => {
    const code = byte > 127 ? byte - 256 : byte;
    return code === -128 ? NaN : Math.sign(code) * (code / 127) ** 2 * evidence.largest_kw;
  });
  evidence.power = Float32Array.from(new Uint8Array(data, 4 + length), (byte) => powers[byte]);
  evidence.days = evidence.import_kwh.length;
  evidence.dates = evidence.import_kwh.map((_, place) => day(evidence.start + place));
  evidence.weather = placeOf(evidence);
  return evidence;
}

// Temperature and midday sun on the days of the meter.
function placeOf(evidence) {
  const place = DATA.places[evidence.place];
  const offset = evidence.start - place.start;
  const cut = (values) => values.slice(offset, offset + evidence.days);
  return { temp_c: cut(place.temp_c), sun_w_m2: cut(place.sun_w_m2), isSunMeasured: place.is_sun_measured };
}

function quantile(values, share) {
  const sorted = Float32Array.from(values).sort();
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : 0;
}

// Colours from export to import, neutral at zero.
function powerScale(evidence) {
  const known = evidence.power.filter((value) => !Number.isNaN(value));
  const imports = Math.max(quantile(known.filter((value) => value > 0), 0.995), 0.01);
  const exports = quantile(known.filter((value) => value < 0).map((value) => -value), 0.995);
  const zero = exports / (exports + imports);
  const below = exports > 0 ? [[0, "export-3"], [zero * 0.45, "export-2"], [zero * 0.85, "export-1"]] : [];
  const above = [[zero, "zero"], [zero + (1 - zero) * 0.15, "import-1"], [zero + (1 - zero) * 0.5, "import-2"], [1, "import-3"]];
  return { zmin: -exports, zmax: imports, colorscale: [...below, ...above].map(([at, name]) => [at, colour(name)]) };
}

// Vertical lines over the episodes of a class, cut at midnight.
function strokeEpisodes(evidence, asset) {
  const x = [];
  const y = [];
  evidence.events.class.forEach((found, place) => {
    if (found !== asset) return;
    let slot = evidence.events.slot[place];
    let left = evidence.events.slots[place] ?? evidence.days * SLOTS - slot;
    while (left > 0 && slot < evidence.days * SLOTS) {
      const length = Math.min(left, SLOTS - (slot % SLOTS));
      x.push(...Array(2).fill(evidence.dates[Math.floor(slot / SLOTS)]), null);
      y.push((slot % SLOTS) / 2, ((slot % SLOTS) + length) / 2, null);
      slot += length;
      left -= length;
    }
  });
  return { x, y };
}

function makeCarpet(evidence, meter, onDay) {
  const seen = [...new Set(evidence.events.class)].sort();
  let marked = seen.find((asset) => meter.detections[asset]?.isPresent) ?? seen[0] ?? -1;
  const rows = Array.from({ length: SLOTS }, (_, slot) => Array.from({ length: evidence.days }, (_, date) => evidence.power[date * SLOTS + slot]));
  const text = CLOCK.map((time) => Array(evidence.days).fill(time));
  const figure = makeFigure({
    name: "carpet", title: "Every half-hour: days across, the clock downwards", isWide: true, height: 430,
    note: "Orange is import, blue is export, grey is missing. Lines mark the episodes of the chosen class, dotted lines the dates on which something changed. "
      + "Colours are rounded to about 1 % of the largest power. A click shows that day below.",
    before: seen.length ? makeChoices("Mark the episodes of:", "marked", [...seen.map((asset) => [String(asset), CLASS_NAMES[asset]]), ["-1", "none"]], String(marked), (value) => {
      marked = Number(value);
      figure.redraw();
    }) : make("p", { class: "soft" }, "No episodes: no asset was found."),
    onClick: (event) => onDay(Math.round((Date.parse(String(event.points[0].x).slice(0, 10)) / MILLISECONDS_A_DAY) - evidence.start)),
    plot: (width) => ({
      data: [
        { type: "heatmap", x: evidence.dates, y: CLOCK.map((_, slot) => slot / 2 + 0.25), z: rows, text, ...powerScale(evidence),
          hovertemplate: "%{x|%a %d %b %Y} %{text}: %{z:.2f} kW<extra></extra>", colorbar: { title: { text: "kW", side: "right" }, thickness: 12, outlinewidth: 0 } },
        { type: "scatter", mode: "lines", ...strokeEpisodes(evidence, marked), line: { color: colour("mark"), width: Math.min(1, (0.35 * width) / evidence.days) }, opacity: 0.65, hoverinfo: "skip", showlegend: false, connectgaps: false },
      ],
      layout: {
        plot_bgcolor: colour("unread"),
        yaxis: { range: [24, 0], tickvals: [0, 4, 8, 12, 16, 20, 24], ticktext: ["00:00", "04:00", "08:00", "12:00", "16:00", "20:00", "24:00"], showgrid: false, zeroline: false, fixedrange: true },
        xaxis: { type: "date", range: [evidence.dates[0], day(evidence.start + evidence.days)], showgrid: false },
        shapes: meter.changes.map((change) => ({ type: "line", x0: day(change.day), x1: day(change.day), yref: "paper", y0: 0, y1: 1, line: { color: colour(WORDS.classes[change.asset]), width: 2, dash: "dot" } })),
        annotations: meter.changes.map((change) => ({ x: day(change.day), yref: "paper", y: 1, yanchor: "bottom", showarrow: false, font: { size: 11, color: colour(WORDS.classes[change.asset]) }, text: plain(`${CLASS_NAMES[change.asset]} ${change.kind}`) })),
        margin: { l: 52, r: 12, t: 22, b: 36 },
      },
    }),
    table: () => makeDailyTable(evidence),
  });
  return figure;
}

function makeDailyTable(evidence) {
  const counts = CLASS_NAMES.map(() => new Map());
  evidence.events.class.forEach((asset, place) => {
    const date = Math.floor(evidence.events.slot[place] / SLOTS);
    counts[asset].set(date, (counts[asset].get(date) || 0) + 1);
  });
  const shown = CLASS_NAMES.map((_, asset) => asset).filter((asset) => counts[asset].size);
  return makeTable("carpet", "Each local day: energies of the half-hours with readings, weather, and episodes that began",
    [["day", false], ["import kWh", true], ["export kWh", true], ["half-hours missing", true], ["mean °C", true], ["midday W/m²", true], ["midday net kW", true], ...shown.map((asset) => [`${CLASS_NAMES[asset]} episodes`, true])],
    evidence.dates.map((date, place) => [date, number(evidence.import_kwh[place], 2), number(evidence.export_kwh[place], 2), number(evidence.unread[place]),
      number(evidence.weather.temp_c[place], 1), number(evidence.weather.sun_w_m2[place]), number(evidence.midday_kw[place], 2), ...shown.map((asset) => number(counts[asset].get(place) || 0))]));
}

// One day, chosen by date or by a click on the map.
function makeDay(evidence) {
  const energy = evidence.events.slot.map((slot, place) => [evidence.events.energy_kwh[place] || 0, Math.floor(slot / SLOTS)]);
  let chosen = energy.length ? energy.reduce((best, one) => (one[0] > best[0] ? one : best))[1] : Math.floor(evidence.days / 2);
  const input = make("input", { type: "date", id: "one-day", min: evidence.dates[0], max: evidence.dates[evidence.days - 1], value: evidence.dates[chosen] });
  const step = (text, by) => {
    const button = make("button", { type: "button" }, text);
    button.addEventListener("click", () => figure.show(chosen + by));
    return button;
  };
  const power = () => Array.from(evidence.power.subarray(chosen * SLOTS, (chosen + 1) * SLOTS), (value) => (Number.isNaN(value) ? null : value));
  const episodes = () => evidence.events.slot.map((slot, place) => ({ asset: evidence.events.class[place], from: slot - chosen * SLOTS, to: slot + (evidence.events.slots[place] ?? SLOTS) - chosen * SLOTS, peak: evidence.events.peak_kw[place] }))
    .filter((one) => one.to > 0 && one.from < SLOTS);
  const figure = makeFigure({
    name: "day", title: "One day", height: 300,
    note: "Net power at the boundary; bands are episodes. Powers are rounded for display, to about 1 % of the largest.",
    before: make("div", { class: "pager" }, make("label", { for: "one-day" }, "Day"), step("Day before", -1), input, step("Day after", 1)),
    plot: () => ({
      data: [{ type: "scatter", mode: "lines", line: { shape: "hv", color: colour("ink"), width: 2 }, x: [...CLOCK.map((_, slot) => slot / 2), 24], y: [...power(), power()[SLOTS - 1]], hovertemplate: "%{y:.2f} kW<extra></extra>" }],
      layout: {
        xaxis: { range: [0, 24], tickvals: [0, 4, 8, 12, 16, 20, 24], ticktext: ["00:00", "04:00", "08:00", "12:00", "16:00", "20:00", "24:00"] }, yaxis: { title: { text: "net kW" } }, showlegend: false,
        shapes: episodes().map((one) => ({ type: "rect", x0: Math.max(one.from, 0) / 2, x1: Math.min(one.to, SLOTS) / 2, yref: "paper", y0: 0, y1: 1, fillcolor: colour(WORDS.classes[one.asset]), opacity: 0.22, line: { width: 0 } })),
      },
    }),
    table: () => makeTable("day", `Net power on ${evidence.dates[chosen]}, rounded`, [["from", false], ["net kW", true], ["episodes", false]],
      power().map((value, slot) => [CLOCK[slot], number(value, 2), [...new Set(episodes().filter((one) => one.from <= slot && one.to > slot).map((one) => `${CLASS_NAMES[one.asset]} (${number(one.peak, 1)} kW)`))].join(", ")])),
  });
  figure.show = (place) => {
    if (!(place >= 0 && place < evidence.days)) return;
    chosen = place;
    input.value = evidence.dates[place];
    figure.redraw();
  };
  input.addEventListener("change", () => figure.show(evidence.dates.indexOf(input.value)));
  return figure;
}

const SEASON_COLOURS = ["winter", "spring", "summer", "autumn"];
const SEASON_DASHES = ["solid", "dash", "solid", "dot"];

function makeTypicalDays(evidence) {
  const kinds = ["Working days", "Weekends and holidays"];
  return makeFigure({
    name: "typical", title: "Typical days by season", isWide: true, height: 320,
    note: "Mean net power by clock time: working days left, other days right. A car lifts the same hours in every season, heating the winter, solar lowers the middle of the day.",
    plot: () => ({
      data: evidence.typical.flatMap((season, code) => season.map((values, kind) => ({
        type: "scatter", mode: "lines", name: WORDS.seasons[code], legendgroup: String(code), showlegend: kind === 0, x: CLOCK, y: values, xaxis: kind ? "x2" : "x", yaxis: kind ? "y2" : "y",
        line: { color: colour(SEASON_COLOURS[code]), dash: SEASON_DASHES[code], width: 2 }, hovertemplate: "%{x}: %{y:.2f} kW, %{fullData.name}<extra></extra>",
      }))),
      layout: {
        xaxis: { domain: [0, 0.485], type: "category", tickvals: CLOCK.filter((_, slot) => slot % 8 === 0), title: { text: kinds[0] } }, xaxis2: { domain: [0.515, 1], type: "category", tickvals: CLOCK.filter((_, slot) => slot % 8 === 0), anchor: "y2", title: { text: kinds[1] } },
        yaxis: { title: { text: "net kW" } }, yaxis2: { matches: "y", anchor: "x2", showticklabels: false },
      },
    }),
    table: () => makeTable("typical", "Mean net power, kW", [["from", false], ...WORDS.seasons.flatMap((season) => [[`${season}, working days`, true], [`${season}, others`, true]])],
      CLOCK.map((time, slot) => [time, ...evidence.typical.flatMap((season) => season.map((values) => number(values[slot], 2)))])),
  });
}

// Medians of y in bins of x: [[start of the bin, count, median]].
function binMedians(x, y, width) {
  const bins = new Map();
  x.forEach((value, place) => {
    if (value === null || y[place] === null) return;
    const start = Math.floor(value / width) * width;
    bins.set(start, [...(bins.get(start) || []), y[place]]);
  });
  return [...bins].sort((one, other) => one[0] - other[0]).map(([start, values]) => {
    const sorted = values.sort((one, other) => one - other);
    const middle = sorted.length / 2;
    return [start, sorted.length, sorted.length % 2 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2];
  });
}

function makeDots(evidence, x, y, asset, template) {
  return { type: "scatter", mode: "markers", x, y, text: evidence.dates, marker: { size: 5, color: colour(asset), opacity: 0.5 }, hovertemplate: template, showlegend: false };
}

function makeSunDip(evidence) {
  const sun = evidence.weather.sun_w_m2;
  const hours = `${CLOCK[DATA.rules.midday_from_slot]} to ${CLOCK[DATA.rules.midday_to_slot]}`;
  const bins = binMedians(sun, evidence.midday_kw, 100);
  const what = evidence.weather.isSunMeasured ? "irradiance" : "clear-sky irradiance (none was measured here)";
  return makeFigure({
    name: "sun", title: "Solar PV: midday against the sun", height: 320,
    note: `Each dot is a day, mean of ${hours}: the brighter, the lower the net power where there is solar PV. Sun: ${what}.`,
    plot: () => ({
      data: [makeDots(evidence, sun, evidence.midday_kw, "solar_pv", "%{text}: %{y:.2f} kW at %{x} W/m²<extra></extra>"),
        { type: "scatter", mode: "lines+markers", x: bins.map((bin) => bin[0] + 50), y: bins.map((bin) => bin[2]), line: { color: colour("ink"), width: 2 }, hovertemplate: "median %{y:.2f} kW<extra></extra>", showlegend: false }],
      layout: { xaxis: { title: { text: "W/m² at midday" } }, yaxis: { title: { text: "net kW at midday" } } },
    }),
    table: () => makeTable("sun", `Median net power of ${hours} by ${what}`, [["W/m²", false], ["days", true], ["median net kW", true]], bins.map(([start, days, median]) => [`${number(start)} to ${number(start + 100)}`, number(days), number(median, 2)])),
  });
}

// Import of each day with missing half-hours at the mean of the others; none where less than half was read.
function wholeDays(evidence) {
  return evidence.import_kwh.map((value, place) => (value === null || evidence.unread[place] > SLOTS / 2 ? null : value / (1 - evidence.unread[place] / SLOTS)));
}

function makeHeating(evidence) {
  const known = evidence.weather.temp_c.filter((value) => value !== null);
  const load = evidence.is_load_scaled ? wholeDays(evidence) : evidence.import_kwh;
  const bins = binMedians(evidence.weather.temp_c, load, 2);
  const fit = evidence.heating;
  const sentence = fit ? `Below ${number(fit.below_c, 1)} °C each degree colder adds ${number(fit.kwh_per_degree, 2)} kWh a day (R² ${number(fit.r_squared, 2)}, ${counted(fit.days, "day")}).` : "Too few cold days with readings for a slope.";
  return makeFigure({
    name: "heating", title: "Heat pump: daily load against temperature", height: 320, note: known.length ? `${sentence} ${evidence.is_load_scaled ? "Missing half-hours count as the mean of the others of the day." : "The same times of day are missing on most days, so only the others are counted."}` : null,
    missing: "No temperature is known for this meter, so no heating slope can be shown.",
    plot: known.length ? () => ({
      data: [makeDots(evidence, evidence.weather.temp_c, load, "heat_pump", "%{text}: %{y:.1f} kWh at %{x} °C<extra></extra>"),
        ...(fit ? [{ type: "scatter", mode: "lines", x: [Math.min(...known), fit.below_c], y: [Math.min(...known), fit.below_c].map((at) => fit.kwh_at_zero - fit.kwh_per_degree * at), line: { color: colour("ink"), width: 2 }, hoverinfo: "skip", showlegend: false }] : [])],
      layout: { xaxis: { title: { text: "mean °C of the day" } }, yaxis: { title: { text: "import kWh of the day" } } },
    }) : null,
    table: () => makeTable("heating", "Median import of a day by its mean temperature", [["°C", false], ["days", true], ["median kWh", true]], bins.map(([start, days, median]) => [`${number(start)} to ${number(start + 2)}`, number(days), number(median, 2)])),
  });
}

// How many days have readings at each clock time, where that is not nearly all of them at all times.
function makeCoverage(evidence) {
  const shares = evidence.annual.share_by_slot;
  if (Math.max(...shares) - Math.min(...shares) < 0.1) return null;
  return makeFigure({
    name: "coverage", title: "Readings by time of day", height: 240, note: "Share of the days on which each clock time was read. What is missing at the same times every day is not extrapolated.",
    plot: () => ({
      data: [{ type: "bar", x: CLOCK, y: shares.map((value) => value * 100), marker: { color: colour("accent") }, hovertemplate: "%{x}: %{y:.0f} % of days<extra></extra>" }],
      layout: { xaxis: { type: "category", tickvals: CLOCK.filter((_, slot) => slot % 8 === 0) }, yaxis: { title: { text: "% of days" }, range: [0, 105] } },
    }),
    table: () => makeTable("coverage", "Share of days with readings by clock time", [["from", false], ["% of days", true]], CLOCK.map((time, slot) => [time, percent(shares[slot], 1)])),
  });
}

function makeFlatRuns(evidence) {
  const { threshold_kw: threshold, dark, light } = evidence.flat;
  return makeFigure({
    name: "flat", title: "Battery: net power held near zero", height: 320,
    note: `How often each clock time lies in a run of ${DATA.rules.flat_slots / 2} hours or more of net power within ${number(threshold, 3)} kW of zero. In the evening and at night only a battery holds it there; at midday solar does too where no export register counts its surplus.`,
    plot: () => ({
      data: [["autumn, winter", dark, "ev", "solid"], ["spring, summer", light, "solar_pv", "dash"]].map(([name, values, asset, dash]) => ({
        type: "scatter", mode: "lines", name, x: CLOCK, y: values.map((value) => (value === null ? null : value * 100)), line: { color: colour(asset), dash, width: 2 }, hovertemplate: "%{x}: %{y:.0f} % of days, %{fullData.name}<extra></extra>",
      })),
      layout: { xaxis: { type: "category", tickvals: CLOCK.filter((_, slot) => slot % 8 === 0) }, yaxis: { title: { text: "% of days" }, rangemode: "tozero", range: [0, Math.max(10, 105 * Math.max(...dark.concat(light).map((value) => value || 0)))] } },
    }),
    table: () => makeTable("flat", "Share of days in a flat run near zero", [["from", false], ["autumn, winter", true], ["spring, summer", true]], CLOCK.map((time, slot) => [time, percent(dark[slot], 1), percent(light[slot], 1)])),
  });
}
