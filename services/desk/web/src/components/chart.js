// Lines over a common axis. What the picture shows stands beside it in words and, one click away, as a table; the point that is looked at moves
// with the pointer or the arrow keys. Lines differ by dash and mark, not by colour alone.
import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { html } from "../html.js";
import { t, useLanguage } from "../language.js";
import { useMedia } from "./media.js";
import { Table } from "./table.js";

const HEIGHT = 220;
const LOOKS = {
    first: { stroke: "#123a63", forced: "CanvasText", dash: [], band: "#123a6324", mark: "dot" },
    second: { stroke: "#a34a00", forced: "CanvasText", dash: [7, 5], band: "#a34a0020", mark: "none" },
    third: { stroke: "#6b4a9e", forced: "Highlight", dash: [2, 3], band: "#6b4a9e20", mark: "ring" },
    guide: { stroke: "#586474", forced: "GrayText", dash: [3, 5], band: "none", mark: "none" },
};
const CROWDED = 60; // so many points are a line

function points(look, colour, values) {
    const known = values.filter((value) => value !== null).length;
    return { show: known < 2 || (look.mark !== "none" && known <= CROWDED), size: 7, width: 1.5, stroke: colour, fill: look.mark === "ring" ? "Canvas" : colour };
}

/** Every line, and the two borders of each band behind it. */
function lines(series, forced) {
    const all = [{}];
    const data = [];
    const bands = [];
    const borders = new Set();
    for (const { look: name, values, low, high } of series) {
        const look = LOOKS[name];
        const colour = forced ? look.forced : look.stroke;
        if (low && high) {
            // a fill would hide the lines where there are few colours: the borders say it
            const border = { points: { show: false }, spanGaps: true, ...(forced ? { width: 1, stroke: "GrayText", dash: [1, 3] } : { width: 0, stroke: "transparent" }) };
            bands.push({ series: [all.length, all.length + 1], fill: forced ? "transparent" : look.band });
            borders.add(all.length).add(all.length + 1);
            all.push(border, border);
            data.push(high, low);
        }
        all.push({ stroke: colour, width: name === "guide" ? 1.25 : 2, dash: look.dash, spanGaps: true, points: points(look, colour, values) });
        data.push(values);
    }
    return { all, data, bands, borders };
}

function options({ x, y, series, width, forced, onAt }) {
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const ink = forced ? "CanvasText" : "#434f5f";
    const grid = { stroke: forced ? "GrayText" : "#e3e7ec", width: 1, dash: forced ? [1, 5] : [] };
    const axis = { font, stroke: ink, grid, ticks: { ...grid, dash: [], size: 5 } };
    const { all, data, bands, borders } = lines(series, forced);
    const widest = Math.max(...[y.min ?? 0, y.max ?? 1].map((value) => (y.tick ?? y.format)(value).length));
    return {
        data: [x.values, ...data],
        settings: {
            width, height: HEIGHT, series: all, bands,
            padding: [10, 36, 0, 0],
            legend: { show: false },
            cursor: { drag: { x: false, y: false }, y: false, points: { size: (_, i) => (borders.has(i) ? 0 : 9) } },
            scales: { x: { time: false, range: (_, low, high) => (low === high ? [low - 1, high + 1] : [x.min ?? low, x.max ?? high]) },
                y: { range: (_, low, high) => [y.min ?? Math.min(0, low), y.max ?? (high > 0 ? high * 1.08 : 1)] } },
            axes: [{ ...axis, grid: { show: false }, incrs: x.steps, space: x.space ?? 70, size: 30, values: (_, all) => all.map((value) => x.format(value)) },
                { ...axis, size: Math.max(40, widest * 7 + 16), space: 36, values: (_, all) => all.map((value) => (y.tick ?? y.format)(value)) }],
            hooks: { setCursor: [(plot) => onAt(plot.cursor.idx ?? null)] },
        },
    };
}

function Swatch({ look: name, band }) {
    const look = LOOKS[name];
    return html`<svg class="swatch" viewBox="0 0 34 12" aria-hidden="true" focusable="false">
        ${band && html`<rect class="swatch-band" x="0" y="1" width="34" height="10" fill=${look.band} />`}
        <line x1="1" x2="33" y1="6" y2="6" stroke=${look.stroke} stroke-width="2" stroke-dasharray=${look.dash.join(" ")} />
        ${look.mark !== "none" && html`<circle cx="17" cy="6" r="3.2" class=${look.mark} fill=${look.mark === "ring" ? "#fff" : look.stroke} stroke=${look.stroke} stroke-width="1.5" />`}
    </svg>`;
}

/** What the series say at one place of the axis. */
function told({ x, y, series }, at) {
    const said = series.filter(({ look, values }) => look !== "guide" && typeof values[at] === "number").map(({ label, values, low, high }) => {
        const value = y.format(values[at]);
        return typeof low?.[at] === "number" ? t("chart.at.range", { label, value, low: y.format(low[at]), high: y.format(high[at]) }) : t("chart.at", { label, value });
    });
    return `${x.long?.(x.values[at]) ?? x.format(x.values[at])}: ${said.join("; ") || t("chart.nothing")}`;
}

function tableOf({ x, y, series }) {
    const shown = series.filter(({ look }) => look !== "guide");
    const interval = (one, i) => (typeof one.low[i] === "number" ? `${y.format(one.low[i])} – ${y.format(one.high[i])}` : "–");
    return [
        { key: "x", label: x.label, head: true, cell: (i) => x.long?.(x.values[i]) ?? x.format(x.values[i]) },
        ...shown.flatMap((one) => [
            { key: one.label, label: one.label, number: true, cell: (i) => (typeof one.values[i] === "number" ? y.format(one.values[i]) : "–") },
            ...(one.low ? [{ key: `${one.label} interval`, label: t("chart.interval", { label: one.label }), number: true, cell: (i) => interval(one, i) }] : []),
        ]),
    ];
}

/**
 * title, summary: what is drawn and what it comes to, in words. x: {label, values, format, long, steps, min, max}; y: {label, format, tick, min, max}, tick
 * being the short form at the axis;
 * series: [{label, look: "first" | "second" | "third" | "guide", values, low, high}], values with null where there is none. A guide is no data: a
 * line to compare with, in the legend only.
 */
export function Chart({ title, summary, x, y, series, level = "h3" }) {
    const language = useLanguage();
    const forced = useMedia("(forced-colors: active)");
    const id = useId();
    const box = useRef();
    const plot = useRef(null);
    const [at, setAt] = useState(null);
    const given = { x, y, series };
    const content = JSON.stringify([x.values, x.label, y.label, y.min, y.max, series]);
    const last = x.values.length - 1;
    useEffect(() => {
        const target = box.current;
        const made = options({ ...given, width: target.clientWidth, forced, onAt: setAt });
        plot.current = new uPlot(made.settings, made.data, target);
        const watch = new ResizeObserver(() => {
            if (target.clientWidth > 0 && target.clientWidth !== plot.current.width) {
                plot.current.setSize({ width: target.clientWidth, height: HEIGHT });
            }
        });
        watch.observe(target);
        return () => {
            watch.disconnect();
            plot.current.destroy();
            plot.current = null;
        };
    }, [content, language, forced]);
    const move = (event) => {
        const from = at ?? last;
        const to = { ArrowLeft: at === null ? last : from - 1, ArrowRight: at === null ? last : from + 1, Home: 0, End: last, PageUp: from - 10, PageDown: from + 10 }[event.key];
        if (event.key === "Escape" && at !== null) {
            plot.current.setCursor({ left: -10, top: -10 });
        } else if (to !== undefined) {
            event.preventDefault();
            const there = Math.max(0, Math.min(last, to));
            plot.current.setCursor({ left: plot.current.valToPos(x.values[there], "x"), top: 10 });
        }
    };
    const columns = useMemo(() => tableOf(given), [content, language]);
    const here = at === null ? null : Math.min(at, last);
    const text = here === null ? "" : told(given, here);
    const rows = x.values.map((_, i) => i).reverse();
    return html`<figure class="chart" aria-labelledby=${id}>
        <figcaption><${level} id=${id} class="chart-title">${title}<//>${summary && html`<p class="chart-summary">${summary}</p>`}</figcaption>
        <ul class="chart-legend">${series.map(({ label, look, low }) => html`<li key=${label}><${Swatch} look=${look} band=${Boolean(low)} />${label}</li>`)}</ul>
        <p class="chart-unit" aria-hidden="true">${y.label}</p>
        <div class="chart-box" ref=${box} tabindex="0" role="slider" aria-label=${t("chart.point", { title })} aria-valuemin="0" aria-valuemax=${Math.max(0, last)}
            aria-valuenow=${here ?? last} aria-valuetext=${text || told(given, last)} onKeyDown=${move}></div>
        <p class="chart-at" aria-hidden="true">${text || t("chart.hint")}</p>
        <details class="chart-table"><summary aria-label=${t("chart.table.of", { title })}>${t("chart.table")}</summary>
            <${Table} caption=${title} columns=${columns} rows=${rows} keyOf=${(i) => x.values[i]} /></details>
    </figure>`;
}
