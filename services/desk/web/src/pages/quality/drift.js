// How far the newest bonds and investors have moved from what the served snapshot was trained on.
import { useState } from "preact/hooks";
import { useGet } from "../../api.js";
import { Glossary, Panel, State } from "../../components/panel.js";
import { Empty } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { html } from "../../html.js";
import { day, number, t } from "../../language.js";

const FIRST = 10;
const SOME = 0.1;
const LARGE = 0.25;
const SCALE = 0.4; // of the bars; what is longer ends in a point

function kindOf(psi) {
    return typeof psi !== "number" ? "unknown" : psi < SOME ? "stable" : psi < LARGE ? "some" : "large";
}

const STATES = { unknown: "none", stable: "good", some: "care", large: "bad" };

function Reading({ psi }) {
    const kind = kindOf(psi);
    return html`<${State} kind=${STATES[kind]}>${t(`drift.${kind}`)}<//>`;
}

function Bar({ psi }) {
    const width = 120 * Math.min(1, (psi ?? 0) / SCALE);
    return html`<svg class=${`drift-bar ${kindOf(psi)}`} viewBox="0 0 126 14" aria-hidden="true" focusable="false">
        <path d=${`M0 3h${width}${psi > SCALE ? "l6 4l-6 4" : "v8"}h${-width}z`} />
        ${[SOME, LARGE].map((limit) => html`<line key=${limit} x1=${120 * limit / SCALE} x2=${120 * limit / SCALE} y1="0" y2="14" />`)}
    </svg>`;
}

function Fields({ data }) {
    const [all, setAll] = useState(false);
    const { fields } = data;
    const counts = { some: fields.filter(({ psi }) => kindOf(psi) === "some").length, large: fields.filter(({ psi }) => kindOf(psi) === "large").length };
    const columns = [
        { key: "label", label: t("drift.field"), head: true, cell: (row) => html`<bdi class="name-cell" title=${row.field}>${row.label || row.field}</bdi>` },
        { key: "psi", label: t("drift.psi"), number: true, cell: ({ psi }) => number(psi, 3) },
        { key: "bar", label: t("drift.bar"), cell: ({ psi }) => html`<${Bar} psi=${psi} />` },
        { key: "reading", label: t("drift.reading"), cell: ({ psi }) => html`<${Reading} psi=${psi} />` },
    ];
    return html`
        <p class="drift-summary">${t("drift.summary", { from: day(data.from), until: day(data.until), n: fields.length, fields: number(fields.length), some: number(counts.some), large: number(counts.large) })}</p>
        <p class="drift-scores">${t("drift.scores")} <strong>${number(data.scores_psi, 3)}</strong> <${Reading} psi=${data.scores_psi} /></p>
        <${Table} caption=${t("drift.title")} columns=${columns} rows=${all ? fields : fields.slice(0, FIRST)} keyOf=${({ field }) => field} />
        ${fields.length > FIRST && html`<button type="button" class="link drift-more" aria-expanded=${all} onClick=${() => setAll(!all)}>${all ? t("drift.fewer", { n: FIRST }) : t("drift.all", { n: number(fields.length) })}</button>`}
        <${Glossary} terms=${["psi", "stable", "some", "large"].map((name) => [t(`drift.${name}`), t(`drift.${name}.means`)])} />`;
}

export function Drift() {
    const answer = useGet("/metrics/drift");
    const none = answer.problem?.status === 404;
    return html`<${Panel} title=${t("drift.title")} about=${t("drift.about")} answer=${none ? { ...answer, problem: null } : answer}
        content=${(data) => (data.fields.length === 0 ? html`<${Nothing} />` : html`<${Fields} data=${data} />`)}>${none && html`<${Nothing} />`}<//>`;
}

function Nothing() {
    return html`<${Empty} title=${t("drift.empty")}><p>${t("drift.empty.hint")}</p><//>`;
}
