// One question after the other: two cards of reasons for the same investor and bond, with the time that each answer took.
import { useId } from "preact/hooks";
import { path, useGet } from "../../api.js";
import { Answers, Done, useAsking, valueText } from "../../components/asking.js";
import { CategoryIcon } from "../../components/icons.js";
import { useMedia } from "../../components/media.js";
import { Legend } from "../../components/reasons.js";
import { Empty, Failure, Waiting } from "../../components/states.js";
import { html } from "../../html.js";
import { day, number, percent, t, useLanguage } from "../../language.js";
import { href } from "../../route.js";

const STUDY = {
    base: "/study",
    answers: "/study/answers",
    keys: { 1: "left", 2: "right", t: "tie", s: "skip", u: "undo" },
    words: "study",
    keyOf: ({ n, bond, investor }) => JSON.stringify([n, bond.id, investor]),
    body: ({ ticket }, choice, milliseconds) => ({ ticket, choice, milliseconds }),
};

/** What is asked about: the investor and the bond with all its features. */
function Case({ question }) {
    const { bond, investor, probability } = question;
    const wide = useMedia("(min-width: 1101px)");
    const detail = useGet(bond.feature_fields && bond.issue_date ? null : path("bonds", bond.id)).data;
    const fields = bond.feature_fields ?? detail?.feature_fields
        ?? Object.entries(bond.features).map(([name, value]) => ({ name, label: name, value }));
    const issue = bond.issue_date ?? detail?.issue_date;
    return html`<section class="panel case" aria-label=${t("study.case")}>
        <div class="case-who"><span class="case-label">${t("study.investor")}</span><strong><bdi>${investor}</bdi></strong></div>
        <div class="case-who"><span class="case-label">${t("study.probability")}</span><strong>${percent(probability)}</strong></div>
        <div class="case-who"><span class="case-label">${t("study.bond")}</span><strong><bdi>${bond.id}</bdi></strong></div>
        <div class="case-who"><span class="case-label">${t("study.issuer")}</span><strong><bdi>${bond.issuer}</bdi></strong></div>
        ${issue && html`<div class="case-who"><span class="case-label">${t("study.issue")}</span><strong>${day(issue)}</strong></div>`}
        <details class="case-more" open=${wide}><summary>${t("features.all", { n: number(fields.length) })}</summary><dl class="case-features">${fields.map(({ name, label, value, kind }) => html`<div key=${name}>
            <dt><bdi>${label}</bdi></dt><dd><bdi>${valueText(value, kind)}</bdi></dd></div>`)}</dl></details>
    </section>`;
}

/** The sentence without the tag that stands before it. */
function restOf({ tag, sentence }) {
    const rest = sentence.startsWith(tag) ? sentence.slice(tag.length).replace(/^[.。:：\s]+/u, "") : sentence;
    return rest === "" ? sentence : rest;
}

function Side({ side, reasons, others }) {
    const id = useId();
    const category = (reason) => (["preference", "attribute", "ability"].includes(reason.category) ? reason.category : "attribute");
    return html`<section class="panel side" aria-labelledby=${id}>
        <h2 id=${id}>${t(`study.${side}`)}</h2>
        <ol class="side-reasons">${reasons.map((reason, i) => html`<li key=${i} class=${`side-reason ${category(reason)}`}>
            <p class=${`tag ${category(reason)}`}><${CategoryIcon} category=${category(reason)} /><span class="hidden">${t(`category.${category(reason)}`)}: </span><bdi
                class="tag-text">${reason.tag}</bdi></p>
            ${others.has(reason.tag) && html`<span class="in-both">${t("study.both")}</span>`}
            <p class="side-sentence"><bdi>${restOf(reason)}</bdi></p>
        </li>`)}</ol>
    </section>`;
}

function Question({ asking }) {
    const { question, busy } = asking;
    const left = new Set(question.left.map(({ tag }) => tag));
    const right = new Set(question.right.map(({ tag }) => tag));
    return html`<div class="question" aria-busy=${busy}>
        <header class="question-top">
            <h2 ref=${asking.heading} tabindex="-1">${question.total ? t("study.n.of", { n: number(question.n), total: number(question.total) }) : t("study.n", { n: number(question.n) })}
                <span class="question-text">${t("study.question")}</span></h2>
            <${Legend} />
        </header>
        <${Case} question=${question} />
        <div class="sides">
            <${Side} side="left" reasons=${question.left} others=${right} />
            <${Side} side="right" reasons=${question.right} others=${left} />
        </div>
        <${Answers} asking=${asking} label=${t("study.answers")} failed=${t("study.failed")} saved=${t("study.saved")} undo=${t("study.undo")}
            answers=${[["left", "1", t("study.choose.left"), true], ["right", "2", t("study.choose.right"), true], ["tie", "T", t("study.tie")], ["skip", "S", t("study.skip")]]} />
    </div>`;
}

export function Questions() {
    const asking = useAsking(STUDY, useLanguage());
    const { question, problem, loading, count } = asking;
    if (loading) {
        return html`<div class="panel"><${Waiting} rows=${8} /></div>`;
    }
    if (problem) {
        return problem.status === 404 ? html`<div class="panel"><${Empty} title=${t("study.none")}><p>${t("study.none.hint")}</p><//></div>`
            : html`<div class="panel"><${Failure} problem=${problem} onRetry=${asking.ask} /></div>`;
    }
    return question !== null ? html`<${Question} asking=${asking} />`
        : html`<${Done} asking=${asking} title=${t(count > 0 ? "study.done" : "study.done.nothing")} undo=${t("study.undo")}
            text=${count > 0 ? t("study.done.count", { n: count }) : t("study.done.none")}>
            <a class="button primary" href=${href(["study", "result"])}>${t("study.done.result")}</a><//>`;
}
