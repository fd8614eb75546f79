// What people said so far: how far they agree, and the pairs.
import { useState } from "preact/hooks";
import { useGet } from "../../api.js";
import { Choices, Panel, State } from "../../components/panel.js";
import { Empty } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { html } from "../../html.js";
import { number, percent, t } from "../../language.js";

const REFRESH_MS = 5000;
const PAGE = 20;

function Figures({ data }) {
    if (data.votes === 0) {
        return html`<${Empty} title=${t("pairs.empty")}><p>${t("pairs.empty.hint")}</p><//>`;
    }
    const rows = [
        [t("pairs.figure.pairs"), number(data.pairs)],
        [t("pairs.figure.complete"), number(data.complete)],
        [t("pairs.figure.votes"), number(data.votes)],
        [t("pairs.figure.raters"), number(data.raters)],
        [t("pairs.figure.share_valid"), percent(data.share_valid)],
        ...["3", "4", "5"].map((k) => [t("pairs.figure.valid", { k }), number(data.valid[k])]),
        [t("pairs.figure.observed"), percent(data.observed)],
        [t("pairs.figure.kappa"), number(data.fleiss_kappa, 2)],
        [t("pairs.figure.alpha"), number(data.krippendorff_alpha, 2)],
    ];
    return html`<ul class="agreement-words">${data.words.map((text) => html`<li key=${text}>${text}</li>`)}</ul>
        <${Table} caption=${t("pairs.figures")} rows=${rows} keyOf=${([name]) => name} columns=${[
            { key: "what", label: t("pairs.figure"), head: true, cell: ([name]) => name },
            { key: "value", label: t("pairs.value"), number: true, cell: ([, value]) => value }]} />`;
}

const SIGNS = { yes: "good", no: "bad", open: "none" };

function Rows({ data }) {
    const name = (text) => html`<bdi class="name-cell">${text}</bdi>`;
    return html`<${Table} caption=${t("pairs.table")} rows=${data.pairs} keyOf=${({ x, y }) => JSON.stringify([x, y])} columns=${[
        { key: "x", label: t("pairs.side.x"), head: true, cell: ({ x }) => name(x) },
        { key: "y", label: t("pairs.side.y"), cell: ({ y }) => name(y) },
        { key: "votes", label: t("pairs.table.votes"), number: true, cell: ({ votes }) => number(votes) },
        { key: "yes", label: t("pairs.table.yes"), number: true, cell: ({ yes }) => number(yes) },
        { key: "valid", label: t("pairs.table.valid"), cell: ({ valid }) => html`<${State} kind=${SIGNS[valid]}>${t(`pairs.valid.${valid}`)}<//>` }]} />`;
}

function Pairs() {
    const [offset, setOffset] = useState(0);
    const [threshold, setThreshold] = useState(3);
    const answer = useGet("/pairs/table", { threshold, limit: PAGE, offset }, () => REFRESH_MS);
    const total = answer.data?.total ?? 0;
    const last = Math.min(total, offset + PAGE);
    return html`<${Panel} title=${t("pairs.table")} about=${t("pairs.table.about")} answer=${answer}
        actions=${html`<${Choices} label=${t("pairs.threshold")} value=${threshold} onChange=${setThreshold}
            options=${[3, 4, 5].map((k) => [k, t("pairs.threshold.of", { k })])} />`}
        content=${(data) => (total === 0 ? html`<${Empty} title=${t("pairs.empty")} />` : html`<${Rows} data=${data} />
            <div class="pages"><span>${t("pairs.range", { from: number(offset + 1), to: number(last), total: number(total) })}</span>
                <button type="button" class="button" disabled=${offset === 0} onClick=${() => setOffset(Math.max(0, offset - PAGE))}>${t("pairs.former")}</button>
                <button type="button" class="button" disabled=${last >= total} onClick=${() => setOffset(offset + PAGE)}>${t("pairs.next")}</button></div>`)} />`;
}

export function Votes() {
    const agreement = useGet("/pairs", {}, () => REFRESH_MS);
    return html`<div class="panels pairs-below">
        <div class="half"><${Panel} title=${t("pairs.agreement")} about=${t("pairs.agreement.about")} answer=${agreement} content=${(data) => html`<${Figures} data=${data} />`} /></div>
        <div class="half"><${Pairs} /></div>
    </div>`;
}
