"use strict";
(() => {
  const results = JSON.parse(document.getElementById("results").textContent);
  // Okabe and Ito's palette: told apart with any kind of colour vision; lines also differ in dash and points.
  const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8a6d00", "#444444"];
  const dashes = [[], [7, 4], [2, 3], [9, 3, 2, 3]];
  Chart.defaults.animation = false;
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.maintainAspectRatio = false;
  Chart.defaults.color = "#5b6675";

  const whereText = w => Object.entries(w).map(([k, v]) => `${k} ${v}`).join(", ") || "all pairs";
  const percent = x => x === 0 ? "0" : x >= 0.1 ? `${+(100 * x).toPrecision(3)} %` : x >= 1e-4 ? `${+(100 * x).toPrecision(2)} %` : x.toExponential(0);
  const rateText = x => x >= 1e-3 ? `${(100 * x).toPrecision(4)} %` : x === 0 ? "0" : x.toExponential(2);

  // Inverse of the normal distribution (Acklam's rational approximation, relative error 1.2e-9): only for axes.
  const probit = p => {
    const a = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239];
    const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572];
    const c = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
    const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416];
    const tail = q => (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) / ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
    if (p < 0.02425) return tail(Math.sqrt(-2 * Math.log(p)));
    if (p > 1 - 0.02425) return -tail(Math.sqrt(-2 * Math.log(1 - p)));
    const q = p - 0.5, r = q * q;
    return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q / (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
  };

  const legend = (show, filter) => ({display: show, labels: {usePointStyle: true, pointStyle: "line", boxWidth: 36, filter}});
  const axis = (title, extra) => Object.assign({title: {display: true, text: title}, grid: {color: "#edf0f3"}}, extra);
  const lineStyle = i => ({borderColor: colours[i % colours.length], backgroundColor: colours[i % colours.length], borderDash: dashes[i % dashes.length],
                           borderWidth: 2, pointRadius: 0, pointHitRadius: 6, showLine: true});
  // Counts at the point under the pointer, so that every drawn rate can be checked.
  const namesOf = result => result.kind === "identification" ? ["FPIR", "FNIR", "false positive identification rate", "false negative identification rate"]
                                                             : ["FMR", "FNMR", "false match rate", "false non-match rate"];
  const pointLabel = ([x, y]) => c => [`${c.dataset.label}: ${x} ${rateText(c.raw.fmr)} (${c.raw.k}/${c.raw.n})`, `${y} ${rateText(c.raw.fnmr)} (${c.raw.m}/${c.raw.g}), t = ${c.raw.t.toFixed(4)}`];
  const points = (curve, place) => curve.threshold.map((t, i) => {
    const k = curve.false_matches[i], m = curve.false_non_matches[i];
    const fmr = k / curve.impostors, fnmr = m / curve.genuine;
    return Object.assign(place(fmr, fnmr), {t, k, m, n: curve.impostors, g: curve.genuine, fmr, fnmr});
  }).filter(p => Number.isFinite(p.x) && Number.isFinite(p.y));
  const floorOf = curves => Math.pow(10, Math.floor(Math.log10(1 / Math.max(...curves.map(c => c.impostors), 10))));

  const draw = {
    roc(canvas, result) {
      // Drawn as steps: between two points nothing was measured.
      const datasets = result.curves.map((c, i) => Object.assign({label: whereText(c.where), stepped: "before",
        data: points(c, (fmr, fnmr) => ({x: fmr > 0 ? fmr : NaN, y: 1 - fnmr}))}, lineStyle(i)));
      return new Chart(canvas, {type: "scatter", data: {datasets}, options: {
        scales: {x: axis("false match rate", {type: "logarithmic", min: floorOf(result.curves), max: 1, ticks: {callback: v => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-9 ? percent(v) : "", autoSkip: false, maxRotation: 0}}),
                 y: axis("true accept rate", {max: 1, ticks: {callback: percent}})},
        plugins: {legend: legend(datasets.length > 1), tooltip: {callbacks: {label: pointLabel(namesOf(result))}}}}});
    },
    det(canvas, result) {
      const names = namesOf(result);
      const ticks = [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8];
      const inside = p => p > 0 && p < 1;
      const datasets = result.curves.map((c, i) => Object.assign({label: whereText(c.where),
        data: points(c, (fmr, fnmr) => ({x: inside(fmr) ? probit(fmr) : NaN, y: inside(fnmr) ? probit(fnmr) : NaN}))}, lineStyle(i)));
      // Both axes end at the same rates, so that the equal error rate lies on the diagonal.
      const all = datasets.flatMap(d => d.data.flatMap(p => [p.x, p.y])).filter(Number.isFinite);
      const low = Math.max(probit(1e-6), Math.min(...all, probit(0.01))), high = probit(0.8);
      const probitAxis = title => axis(title, {type: "linear", min: low, max: high, afterBuildTicks: a => { a.ticks = ticks.map(t => ({value: probit(t)})).filter(t => t.value >= low && t.value <= high); },
                                               ticks: {autoSkip: false, maxRotation: 0, callback: v => percent(ticks.reduce((x, t) => Math.abs(probit(t) - v) < Math.abs(probit(x) - v) ? t : x))}});
      const diagonal = {label: "equal error", data: [{x: low, y: low}, {x: high, y: high}], showLine: true, pointRadius: 0, pointHitRadius: 0, borderWidth: 1, borderColor: "#b9c2cc"};
      return new Chart(canvas, {type: "scatter", data: {datasets: [...datasets, diagonal]}, options: {
        scales: {x: probitAxis(names[2]), y: probitAxis(names[3])},
        plugins: {legend: legend(datasets.length > 1, item => item.text !== "equal error"), tooltip: {callbacks: {label: c => c.raw.n ? pointLabel(names)(c) : ""}}}}});
    },
    cmc(canvas, result) {
      const datasets = result.identification.cmc.map((c, i) => Object.assign({label: whereText(c.where),
        data: c.rank.map((rank, k) => ({x: rank, y: c.hits[k] / c.mated, k: c.hits[k], n: c.mated})).filter(p => Number.isFinite(p.y))}, lineStyle(i)));
      return new Chart(canvas, {type: "scatter", data: {datasets}, options: {
        scales: {x: axis("rank", {type: "logarithmic", min: 1}), y: axis("mates within that rank", {max: 1, ticks: {callback: percent}})},
        plugins: {legend: legend(datasets.length > 1), tooltip: {callbacks: {label: c => `rank ${c.raw.x}: ${rateText(c.raw.y)} (${c.raw.k}/${c.raw.n})`}}}}});
    },
    scores(canvas, result) {
      const h = result.histograms.find(x => Object.keys(x.where).length === 0) || result.histograms[0];
      const sum = list => list.reduce((a, b) => a + b, 0) || 1;
      const used = h.genuine.map((g, i) => g + h.impostors[i]);
      const first = Math.max(0, used.findIndex(x => x > 0) - 1), last = used.length - used.slice().reverse().findIndex(x => x > 0);
      const width = (h.high - h.low) / h.genuine.length;
      const series = (counts, label, i) => ({label, backgroundColor: colours[i] + "99", borderWidth: 0, barPercentage: 1, categoryPercentage: 1, grouped: false,
        data: counts.slice(first, last).map((c, k) => ({x: h.low + (first + k + 0.5) * width, y: c / sum(counts), c}))});
      const mark = result.conditions.threshold;
      return new Chart(canvas, {type: "bar", data: {datasets: [series(h.impostors, "impostor pairs", 1), series(h.genuine, "genuine pairs", 0)]}, options: {
        scales: {x: axis("similarity", {type: "linear", offset: false, min: h.low + first * width, max: h.low + last * width}), y: axis("share of pairs", {ticks: {callback: percent}})},
        plugins: {tooltip: {callbacks: {label: c => `${c.dataset.label}: ${c.raw.c} (${rateText(c.raw.y)})`}}}},
        plugins: [{id: "threshold", afterDraw: chart => {
          if (typeof mark !== "number") return;
          const x = chart.scales.x.getPixelForValue(mark), area = chart.chartArea, ctx = chart.ctx;
          ctx.save(); ctx.strokeStyle = ctx.fillStyle = "#1c2430"; ctx.setLineDash([4, 3]);
          ctx.beginPath(); ctx.moveTo(x, area.top); ctx.lineTo(x, area.bottom); ctx.stroke();
          ctx.fillText(`t = ${mark.toFixed(3)}`, x + 5, area.top + 12); ctx.restore();
        }}]});
    },
    groups(canvas, result) {
      const metric = canvas.dataset.metric;
      const rows = result.groups.filter(g => !g.reference && g.metrics[metric] && g.metrics[metric].value !== null);
      const labels = rows.map(g => whereText(g.where));
      canvas.parentElement.style.height = `${Math.max(170, 70 + 42 * rows.length)}px`;
      // The axis serves the groups that are well known; the intervals of a group of three people may run out of it.
      const known = rows.filter(g => g.subjects >= 50);
      const reach = Math.max(...rows.map(g => g.metrics[metric].value), ...(known.length > 0 ? known : rows).map(g => g.metrics[metric].high), 0) * 1.08;
      const whiskers = {id: "whiskers", afterDatasetsDraw: chart => {
        const ctx = chart.ctx, x = chart.scales.x;
        const area = chart.chartArea;
        ctx.save(); ctx.strokeStyle = "#1c2430"; ctx.lineWidth = 1.5;
        ctx.beginPath(); ctx.rect(area.left - 4, area.top, area.width + 8, area.height); ctx.clip();
        chart.getDatasetMeta(0).data.forEach((bar, i) => {
          const m = rows[i].metrics[metric], low = x.getPixelForValue(m.low), high = x.getPixelForValue(m.high), y = bar.y;
          ctx.beginPath(); ctx.moveTo(low, y); ctx.lineTo(high, y); ctx.moveTo(low, y - 5); ctx.lineTo(low, y + 5); ctx.moveTo(high, y - 5); ctx.lineTo(high, y + 5); ctx.stroke();
        });
        ctx.restore();
      }};
      const none = {id: "none", afterDraw: chart => {
        if (rows.length > 0) return;
        chart.ctx.save(); chart.ctx.textAlign = "center"; chart.ctx.fillText("no group has enough comparisons: see the table", chart.width / 2, chart.height / 2); chart.ctx.restore();
      }};
      return new Chart(canvas, {type: "bar", data: {labels, datasets: [{label: metric.toUpperCase(), data: rows.map(g => g.metrics[metric].value), maxBarThickness: 34,
        backgroundColor: rows.map(g => g.metrics[metric].status === "ok" ? "#0072b2" : "#0072b266")}]}, options: {indexAxis: "y",
        scales: {x: axis(`${metric.toUpperCase()} (pale: provisional)`, {beginAtZero: true, max: reach > 0 ? reach : 1, ticks: {callback: percent}}), y: {grid: {display: false}}},
        plugins: {legend: {display: false}, tooltip: {callbacks: {label: c => { const m = rows[c.dataIndex].metrics[metric]; return `${rateText(m.value)} (${m.numerator}/${m.denominator}), ${rateText(m.low)} to ${rateText(m.high)}`; }}}}},
        plugins: [whiskers, none]});
    }
  };

  let drawn = 0;
  for (const canvas of document.querySelectorAll("canvas[data-chart]")) {
    const result = results[Number(canvas.dataset.result)], kind = canvas.dataset.chart;
    const drawnFrom = {scores: result.histograms, groups: result.groups, cmc: result.identification ? result.identification.cmc : []}[kind] || result.curves;
    if (drawnFrom.length === 0) {
      canvas.closest("figure").remove();  // a result without points, from another writer
      continue;
    }
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", canvas.closest("figure").querySelector("figcaption").textContent);
    draw[kind](canvas, result);
    ++drawn;
  }
  document.documentElement.dataset.charts = String(drawn);
})();
