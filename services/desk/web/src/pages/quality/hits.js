// Recall and precision of the lists by day or month, with intervals, beside a ranking by activity alone; lists made in hindsight apart.
import { useMemo, useState } from "preact/hooks";
import { useGet } from "../../api.js";
import { Chart } from "../../components/chart.js";
import { Choices, Glossary, Panel } from "../../components/panel.js";
import { Empty } from "../../components/states.js";
import { html } from "../../html.js";
import { day, language, month, number, percent, t } from "../../language.js";

const REFRESH_MS = 60000;
const DAY_MS = 86400000;
const DAY_STEPS = [1, 2, 7, 14, 28, 56, 91, 182, 364, 728];

const dayNumber = (text) => Date.parse(`${text}T00:00:00Z`) / DAY_MS;
const dayText = (value) => new Date(Math.round(value) * DAY_MS).toISOString().slice(0, 10);
const monthNumber = (text) => Number(text.slice(0, 4)) * 12 + Number(text.slice(5, 7)) - 1;
const monthText = (value) => `${Math.floor(Math.round(value) / 12)}-${String(Math.round(value) % 12 + 1).padStart(2, "0")}`;

const AXES = {
    day: { of: dayNumber, back: dayText, words: day, steps: DAY_STEPS },
    month: { of: monthNumber, back: monthText, words: month, steps: [1, 2, 3, 6, 12, 24, 60, 120] },
};

const figure = (value) => (typeof value === "number" ? value : null);

/** The rows of both kinds of lists on one axis. */
function merge(period, live, hindsight) {
    const { of } = AXES[period];
    const all = new Map();
    for (const [kind, rows] of [["live", live], ["hindsight", hindsight]]) {
        for (const row of rows) {
            const x = of(row[period]);
            all.set(x, { ...all.get(x), [kind]: row });
        }
    }
    return [...all].sort(([a], [b]) => a - b);
}

/** What has figures, oldest first: a day without a bond is no point. */
function seriesOf(rows, name, top) {
    const value = `${name}_at_${top}`;
    const has = (kind) => rows.some(([, row]) => figure(row[kind]?.[value]) !== null);
    const line = (kind, look) => ({
        label: t(`quality.${kind}`), look, values: rows.map(([, row]) => figure(row[kind]?.[value])),
        low: rows.map(([, row]) => figure(row[kind]?.[`${name}_low`])), high: rows.map(([, row]) => figure(row[kind]?.[`${name}_high`])),
    });
    const activity = rows.map(([, row]) => figure(row.live?.[`${value}_activity`]) ?? figure(row.hindsight?.[`${value}_activity`]));
    return [...(has("live") ? [line("live", "first")] : []), ...(has("hindsight") ? [line("hindsight", "third")] : []),
        ...(activity.some((one) => one !== null) ? [{ label: t("quality.activity"), look: "second", values: activity }] : [])];
}

function lastOf(values) {
    const i = values.findLastIndex((value) => value !== null);
    return { i, value: i < 0 ? null : values[i] };
}

function summaryOf(series, rows, period) {
    const { back, words } = AXES[period];
    const [line] = series;
    const last = lastOf(line.values);
    const activity = series.find(({ look }) => look === "second")?.values[last.i];
    const low = line.low[last.i];
    const known = line.values.filter((value) => value !== null);
    const text = t(low === null ? "quality.hits.last" : "quality.hits.last.interval", { when: words(back(rows[last.i][0])), line: line.label, value: percent(last.value),
        low: percent(low), high: percent(line.high[last.i]) });
    const beside = typeof activity === "number" ? ` ${t("quality.hits.activity", { activity: percent(activity) })}` : "";
    const range = known.length > 1 ? ` ${t(`quality.hits.range.${period}`, { n: known.length, count: number(known.length), low: percent(Math.min(...known)), high: percent(Math.max(...known)) })}` : "";
    return text + beside + range;
}

function HitsChart({ name, rows, top, period }) {
    const series = useMemo(() => seriesOf(rows, name, top), [rows, name, top, language()]);
    const { back, words, steps } = AXES[period];
    return html`<${Chart} title=${t(`quality.${name}`, { top })} summary=${summaryOf(series, rows, period)} series=${series}
        x=${{ label: t(`quality.${period}`), values: rows.map(([x]) => x), steps, format: (value) => (Number.isInteger(value) ? words(back(value), period === "day") : ""), long: (value) => words(back(value)), space: 76 }}
        y=${{ label: t(`quality.${name}.unit`), min: 0, format: (value) => percent(value), tick: (value) => percent(value, Math.round(value * 1000) % 10 === 0 ? 0 : 1) }} />`;
}

function Content({ period, live, hindsight, top }) {
    const rows = useMemo(() => merge(period, live, hindsight).filter(([, row]) => ["live", "hindsight"].some((kind) => figure(row[kind]?.[`recall_at_${top}`]) !== null)),
        [period, live, hindsight, top]);
    if (rows.length === 0) {
        return html`<${Empty} title=${t("quality.hits.empty")}><p>${t("quality.hits.empty.hint")}</p><//>`;
    }
    const provisional = live.filter((row) => row.provisional).length;
    const bonds = [...live, ...hindsight].reduce((sum, row) => sum + (row.bonds ?? 0), 0);
    return html`<div class="charts">${["recall", "precision"].map((name) => html`<${HitsChart} key=${name} name=${name} rows=${rows} top=${top} period=${period} />`)}</div>
        <p class="quality-note">${t("quality.bonds", { n: bonds, bonds: number(bonds) })} ${provisional > 0 ? t(`quality.provisional.${period}`, { n: provisional, count: number(provisional) }) : ""}</p>
        <${Glossary} terms=${["recall", "precision", "live", "hindsight", "activity", "interval"].map((name) => [t(`quality.${name}`, { top }), t(`quality.${name}.means`, { top })])} />`;
}

export function Hits() {
    const [period, setPeriod] = useState("day");
    const name = period === "day" ? "/metrics/daily" : "/metrics/monthly";
    const live = useGet(name, {}, () => REFRESH_MS);
    const hindsight = useGet(name, { backtests: "true" }, () => REFRESH_MS);
    const field = period === "day" ? "days" : "months";
    const answer = { ...live, loading: live.loading || hindsight.loading, problem: live.problem ?? hindsight.problem, data: hindsight.loading ? null : live.data,
        reload: () => {
            live.reload();
            hindsight.reload();
        } };
    return html`<${Panel} title=${t("quality.hits")} about=${t("quality.hits.about")} answer=${answer} rows=${6}
        actions=${html`<${Choices} label=${t("quality.period")} value=${period} onChange=${setPeriod} options=${["day", "month"].map((one) => [one, t(`quality.by_${one}`)])} />`}
        content=${(data) => html`<${Content} period=${period} live=${data[field]} hindsight=${hindsight.data?.backtests ? hindsight.data[field] : NONE} top=${data.top} />`} />`;
}

const NONE = [];
