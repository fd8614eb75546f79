// One pair after the other: what the investor bid on beside what is recommended for it.
import { useId } from "preact/hooks";
import { Answers, Done, useAsking, valueText } from "../../components/asking.js";
import { useMedia } from "../../components/media.js";
import { Failure, Waiting } from "../../components/states.js";
import { html } from "../../html.js";
import { day, number, t, useLanguage } from "../../language.js";

const PAIRS = {
    base: "/pairs",
    answers: "/pairs/votes",
    keys: { 1: "yes", 2: "no", s: "skip", u: "undo" },
    words: "pairs",
    keyOf: ({ n, x, y }) => JSON.stringify([n, x.issuer, y.issuer]),
    body: ({ ticket }, vote) => ({ ticket, vote }),
};

/** A name within a text: what it holds of other directions ends with it. */
const isolated = (name) => `\u2068${name}\u2069`;

function Issuer({ side, about }) {
    const id = useId();
    const wide = useMedia("(min-width: 681px)");
    const { issuer, category, bonds, investors, latest } = about;
    const facts = [
        ...(category ? [["category", valueText(category.value, category.kind)]] : []),
        ["bonds", number(bonds)],
        ["investors", number(investors)],
        ...(latest ? [["latest", latest.id], ["issue", day(latest.issue_date)]] : []),
    ];
    return html`<section class="panel side" aria-labelledby=${id}>
        <h2 id=${id}><span class="case-label">${t(`pairs.side.${side}`)}</span> <span class="issuer"><bdi>${issuer}</bdi></span></h2>
        <dl class="issuer-facts">${facts.map(([name, text]) => html`<div key=${name}><dt>${t(`pairs.${name}`)}</dt><dd><bdi>${text}</bdi></dd></div>`)}</dl>
        ${latest && html`<details open=${wide}><summary>${t("pairs.features")}</summary><dl class="case-features">${latest.features.map(({ name, label, value, kind }) => html`<div key=${name}>
            <dt><bdi>${label}</bdi></dt><dd><bdi>${valueText(value, kind)}</bdi></dd></div>`)}</dl></details>`}
    </section>`;
}

function Question({ asking }) {
    const { question, busy } = asking;
    const names = { x: isolated(question.x.issuer), y: isolated(question.y.issuer) };
    return html`<div class="question pair" aria-busy=${busy}>
        <header class="question-top">
            <h2 ref=${asking.heading} tabindex="-1">${t("pairs.n", { n: number(question.n) })} <span class="question-text">${t("pairs.question", names)}</span></h2>
        </header>
        <div class="sides"><${Issuer} side="x" about=${question.x} /><${Issuer} side="y" about=${question.y} /></div>
        <${Answers} asking=${asking} label=${t("pairs.answers")} failed=${t("pairs.failed")} saved=${t("pairs.saved")} undo=${t("pairs.undo")}
            answers=${[["yes", "1", t("pairs.yes"), true], ["no", "2", t("pairs.no"), true], ["skip", "S", t("pairs.skip")]]} />
    </div>`;
}

export function Questions() {
    const asking = useAsking(PAIRS, useLanguage());
    const { question, problem, loading, count } = asking;
    if (loading) {
        return html`<div class="panel"><${Waiting} rows=${8} /></div>`;
    }
    if (problem) {
        return html`<div class="panel"><${Failure} problem=${problem} onRetry=${asking.ask} /></div>`;
    }
    return question !== null ? html`<${Question} asking=${asking} />`
        : html`<${Done} asking=${asking} title=${t(count > 0 ? "pairs.done" : "pairs.done.nothing")} undo=${t("pairs.undo")}
            text=${count > 0 ? t("pairs.done.count", { n: count }) : t("pairs.done.none")} />`;
}
