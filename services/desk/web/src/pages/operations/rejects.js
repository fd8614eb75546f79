// Rows that were not taken, with the column and the reason.
import { useState } from "preact/hooks";
import { Panel } from "../../components/panel.js";
import { Empty } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { html } from "../../html.js";
import { moment, number, t } from "../../language.js";
import { useLive } from "./refresh.js";

const FIRST = 20;
const ALL = 1000;

export function Rejects() {
    const [limit, setLimit] = useState(FIRST);
    const answer = useLive("/rejects", { limit });
    const [shown, setShown] = useState(null); // stays while more is asked for
    const data = answer.data ?? shown;
    if (answer.data && answer.data !== shown) {
        setShown(answer.data);
    }
    const columns = [
        { key: "time", label: t("rejects.time"), cell: (row) => html`<span class="nowrap">${moment(row.time)}</span>` },
        { key: "source", label: t("rejects.source"), cell: (row) => html`<bdi class="name-cell">${row.source}</bdi>` },
        { key: "line", label: t("rejects.line"), number: true, cell: (row) => (typeof row.line === "number" ? number(row.line) : "–") },
        { key: "kind", label: t("rejects.kind"), cell: (row) => html`<bdi>${row.kind}</bdi>` },
        { key: "id", label: t("rejects.id"), head: true, cell: (row) => html`<bdi class="name-cell">${row.id}</bdi>` },
        { key: "column", label: t("rejects.column"), cell: (row) => html`<bdi class="name-cell">${row.column || "–"}</bdi>` },
        { key: "reason", label: t("rejects.reason"), cell: (row) => html`<bdi class="name-cell wide">${row.reason}</bdi>` },
    ];
    return html`<${Panel} title=${t("rejects.title")} about=${t("rejects.about")} answer=${{ ...answer, data, loading: answer.loading && !data }}
        content=${({ rows, total }) => (total === 0 ? html`<${Empty} title=${t("rejects.empty")} />` : html`
            <p class="table-count">${t("rejects.count", { n: total, shown: number(rows.length), total: number(total) })}</p>
            <${Table} caption=${t("rejects.title")} columns=${columns} rows=${rows} />
            ${rows.length < total && limit < ALL && html`<button type="button" class="link drift-more" onClick=${() => setLimit(ALL)}>${t("rejects.all")}</button>`}`)} />`;
}
