// What each snapshot's test range said of its ranking and its reasons.
import { useMemo } from "preact/hooks";
import { useGet } from "../../api.js";
import { Chart } from "../../components/chart.js";
import { Glossary, Panel, State } from "../../components/panel.js";
import { Empty } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { html } from "../../html.js";
import { day, language, moment, number, percent, t } from "../../language.js";

const REFRESH_MS = 60000;
const SHORT = 8; // digits of a version that tell it apart

export function Version({ version }) {
    return html`<span class="code" title=${version}>${version.slice(0, SHORT) || "–"}</span>`;
}

const ranking = [["auc", 3], ["log_loss", 4], ["recall", "percent"], ["precision", "percent"], ["ece", 4]];
const reasons = [["rationality", 3], ["diversity", 3], ["hrd", 3], ["aesv", 3], ["others", 3]];
const show = (value, digits) => (digits === "percent" ? percent(value) : number(value, digits));

function SnapshotTable({ rows }) {
    const columns = [
        { key: "snapshot", label: t("quality.snapshot"), head: true, cell: (row) => html`<${Version} version=${row.snapshot} />${row.served && html` <${State} kind="good">${t("quality.served")}<//>`}` },
        { key: "until", label: t("quality.until"), cell: (row) => html`<span class="nowrap">${row.trained_until ? day(row.trained_until) : "–"}</span>` },
        ...[...ranking, ...reasons].map(([key, digits]) => ({ key, label: t(`quality.${key}.short`), number: true, cell: (row) => show(row[key], digits) })),
        { key: "time", label: t("quality.time"), cell: (row) => html`<span class="nowrap">${moment(row.time)}</span>` },
    ];
    return html`<${Table} caption=${t("quality.snapshots")} columns=${columns} rows=${rows} keyOf=${(row) => row.snapshot} classOf=${(row) => (row.served ? "served" : "")} />`;
}

function ReasonsChart({ rows }) {
    const known = useMemo(() => rows.filter(({ hrd, aesv }) => typeof hrd === "number" || typeof aesv === "number").reverse(), [rows]);
    const value = (key) => known.map((row) => (typeof row[key] === "number" ? row[key] : null));
    const series = useMemo(() => [{ label: t("quality.hrd.short"), look: "first", values: value("hrd") }, { label: t("quality.aesv.short"), look: "second", values: value("aesv") }],
        [known, language()]);
    if (known.length === 0) {
        return html`<${Empty} title=${t("quality.reasons.empty")}><p>${t("quality.reasons.empty.hint")}</p><//>`;
    }
    const newest = known.at(-1);
    const name = (i) => (known[i] ? (known[i].trained_until ? day(known[i].trained_until, true) : known[i].snapshot.slice(0, SHORT)) : "");
    return html`<${Chart} title=${t("quality.reasons")} series=${series}
        summary=${t("quality.reasons.summary", { snapshot: newest.snapshot.slice(0, SHORT), hrd: number(newest.hrd, 3), aesv: number(newest.aesv, 3), n: known.length, count: number(known.length) })}
        x=${{ label: t("quality.snapshot"), values: known.map((_, i) => i), steps: [1, 2, 5, 10, 20, 50, 100], format: (i) => (Number.isInteger(i) ? name(i) : ""), long: (i) => `${known[i].snapshot.slice(0, SHORT)}, ${name(i)}` }}
        y=${{ label: t("quality.reasons.unit"), min: 0, max: 1, format: (one) => number(one, 3), tick: (one) => number(one, 1) }} />`;
}

export function Snapshots() {
    const answer = useGet("/metrics/snapshots", { limit: 200 }, () => REFRESH_MS);
    const terms = [...ranking, ...reasons].map(([key]) => [t(`quality.${key}.short`), t(`quality.${key}.means`)]);
    return html`<${Panel} title=${t("quality.snapshots")} about=${t("quality.snapshots.about")} answer=${answer} rows=${5}
        content=${({ snapshots }) => (snapshots.length === 0 ? html`<${Empty} title=${t("quality.snapshots.empty")}><p>${t("quality.snapshots.empty.hint")}</p><//>`
            : html`<div class="beside"><div><${SnapshotTable} rows=${snapshots} /><${Glossary} terms=${terms} /></div><${ReasonsChart} rows=${snapshots} /></div>`)} />`;
}
