// Everything people did, newest first, and whether the chain that ties it together holds.
import { useState } from "preact/hooks";
import { may } from "../../api.js";
import { Panel, State } from "../../components/panel.js";
import { Empty } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { html } from "../../html.js";
import { has, moment, number, t } from "../../language.js";
import { href } from "../../route.js";
import { useLive } from "./refresh.js";

const PAGE = 20;

function what({ topic, value }) {
    const key = `audit.${topic}${value === "" ? ".withdrawn" : ""}`;
    return has(key) ? t(key) : topic;
}

function Notes({ data }) {
    const columns = [
        { key: "time", label: t("audit.time"), cell: (row) => html`<span class="nowrap">${moment(row.time)}</span>` },
        { key: "user", label: t("audit.user"), head: true, cell: (row) => html`<bdi class="name-cell">${row.user}</bdi>` },
        { key: "what", label: t("audit.what"), cell: (row) => what(row) },
        { key: "value", label: t("audit.value"), cell: (row) => html`<bdi class="name-cell">${[row.subject, row.issuer, row.value].filter((text) => text).join(" → ") || "–"}</bdi>` },
        { key: "bond", label: t("audit.bond"), cell: (row) => (row.bond ? html`<a href=${href(["bonds", row.bond])}><bdi class="name-cell">${row.bond}</bdi></a>` : "–") },
        { key: "investor", label: t("audit.investor"), cell: (row) => html`<bdi class="name-cell">${row.investor || "–"}</bdi>` },
        { key: "record", label: t("audit.record"), number: true, cell: (row) => number(row.record) },
        { key: "chain", label: t("audit.chain"), cell: (row) => html`<span class="code" title=${row.chain}>${row.chain.slice(0, 8)}</span>` },
    ];
    return html`<${Table} caption=${t("audit.title")} columns=${columns} rows=${data.notes} keyOf=${({ record }) => record} />`;
}

function Trail() {
    const [offset, setOffset] = useState(0);
    const answer = useLive("/audit", { limit: PAGE, offset });
    const [shown, setShown] = useState(null);
    const data = answer.data ?? shown;
    if (answer.data && answer.data !== shown) {
        setShown(answer.data);
    }
    const total = data?.total ?? 0;
    const last = Math.min(total, offset + PAGE);
    return html`<${Panel} title=${t("audit.title")} about=${t("audit.about")} answer=${{ ...answer, data, loading: answer.loading && !data }}
        actions=${data && html`<${State} kind=${data.intact ? "good" : "bad"}>${data.intact ? t("audit.intact") : typeof data.broken_record === "number" ? t("audit.broken.at", { record: number(data.broken_record) }) : t("audit.broken")}<//>`}
        content=${() => (total === 0 ? html`<${Empty} title=${t("audit.empty")} />` : html`<${Notes} data=${data} />
            <div class="pages"><span>${t("audit.range", { from: number(offset + 1), to: number(last), total: number(total) })}</span>
                <button type="button" class="button" disabled=${offset === 0} onClick=${() => setOffset(Math.max(0, offset - PAGE))}>${t("audit.newer")}</button>
                <button type="button" class="button" disabled=${last >= total} onClick=${() => setOffset(offset + PAGE)}>${t("audit.older")}</button></div>`)} />`;
}

export function Audit() {
    return may("operator") ? html`<${Trail} />`
        : html`<${Panel} title=${t("audit.title")} about=${t("audit.about")}><${Empty} title=${t("audit.forbidden")} /><//>`;
}
