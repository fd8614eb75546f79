// A share with its interval: drawn, in words, and as a table.
import { html } from "../../html.js";
import { has, number, percent, t } from "../../language.js";
import { Empty } from "../../components/states.js";
import { Glossary, State } from "../../components/panel.js";
import { Table } from "../../components/table.js";

const WIDTH = 560;
const at = (share) => 20 + share * (WIDTH - 40);

function Bar({ data, text }) {
    const { share, low, high } = data;
    return html`<svg class="share" viewBox=${`0 0 ${WIDTH} 76`} role="img" aria-label=${text}>
        <line class="share-axis" x1=${at(0)} x2=${at(1)} y1="34" y2="34" />
        ${[0, 0.25, 0.5, 0.75, 1].map((tick) => html`<line class="share-axis" key=${tick} x1=${at(tick)} x2=${at(tick)} y1="30" y2="38" />`)}
        <line class="share-half" x1=${at(0.5)} x2=${at(0.5)} y1="8" y2="58" />
        <rect class="share-interval" x=${at(low)} y="25" width=${Math.max(2, at(high) - at(low))} height="18" rx="3" />
        <line class="share-value" x1=${at(share)} x2=${at(share)} y1="20" y2="48" />
        ${[[0, percent(0, 0), "start"], [0.5, t("study.half"), "middle"], [1, percent(1, 0), "end"]].map(([place, label, anchor]) => html`
            <text key=${place} x=${anchor === "start" ? at(0) - 6 : anchor === "end" ? at(1) + 6 : at(place)} y="72" text-anchor=${anchor}>${label}</text>`)}
    </svg>`;
}

const interval = ({ low, high }) => t("interval", { low: percent(low), high: percent(high) });

function Figures({ data, methods, needed }) {
    const rows = [
        ["answers", number(data.choices ?? data.answers)],
        ["share", percent(data.share)],
        ["interval", interval(data)],
        ...(data.design_effect > 1 ? [["worth", t("about", { n: number((data.choices ?? data.answers) / data.design_effect) })]] : []),
        ["by", has(`study.by.${data.interval}`) ? t(`study.by.${data.interval}`) : data.interval],
        ["p", number(data.p, 2)],
        ["needed", typeof data.needed === "number" ? t("about", { n: number(data.needed) }) : t("study.needed.unknown")],
        ["missing", needed === null || data.shown ? "–" : t("about", { n: number(needed) })],
        ["raters", number(data.raters)],
        ["ties", number(data.ties)],
        ["skips", number(data.skips)],
        ["equal", number(data.equal_dropped)],
    ];
    return html`<${Table} caption=${t("study.figures")} rows=${rows} keyOf=${([key]) => key} columns=${[
        { key: "what", label: t("study.figure"), head: true, cell: ([key]) => t(`study.figure.${key}`, methods) },
        { key: "value", label: t("study.value"), number: true, cell: ([, value]) => value }]} />`;
}

/** example: of the paper, which has no figures of raters. */
export function Result({ data, example = false }) {
    const methods = { a: data.methods[0], b: data.methods[1] };
    const choices = data.choices ?? data.answers;
    if (typeof data.share !== "number") {
        return html`<${Empty} title=${t("study.empty")}><p>${t("study.empty.hint")}</p><//>`;
    }
    const needed = typeof data.needed === "number" ? Math.max(0, Math.ceil(data.missing ?? data.needed - choices)) : null;
    const text = t("study.share", { ...methods, n: choices, answers: number(choices), share: percent(data.share), interval: interval(data) });
    const verdict = !data.shown ? "study.not_shown" : data.share > 0.5 ? "study.shown.a" : "study.shown.b";
    return html`<div class="result">
        <p class="verdict"><${State} kind=${data.shown ? "good" : "none"}>${t(data.shown ? "study.shown" : "study.unshown")}<//></p>
        <p class="result-text">${text} ${t(verdict, methods)}</p>
        <${Bar} data=${data} text=${text} />
        ${(example || !data.shown) && html`<p class="result-text">${example ? t("study.example.text", { p: number(data.p * 100, 0), needed: number(data.needed) })
            : needed === null ? t("study.missing.unknown") : needed === 0 ? t("study.missing.none") : t("study.missing", { n: needed, missing: number(needed) })}</p>`}
        <${Figures} data=${data} methods=${methods} needed=${needed} />
        <p class="result-note">${t("study.interval.about")}</p>
        ${!example && html`<${Glossary} terms=${data.methods.map((name) => [name, has(`study.method.${name}`) ? t(`study.method.${name}`) : t("study.method.other")])} />`}
    </div>`;
}
