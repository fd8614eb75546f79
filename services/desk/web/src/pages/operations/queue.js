import { Panel, State } from "../../components/panel.js";
import { Empty } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { html } from "../../html.js";
import { duration, number, t } from "../../language.js";
import { useLive } from "./refresh.js";

const SILENT_MS = 10000;

function Workers({ rows }) {
    const columns = [
        { key: "name", label: t("queue.worker"), head: true, cell: (row) => html`<bdi class="name-cell">${row.name}</bdi>` },
        ...(rows.some(({ engine }) => engine !== undefined) ? [{ key: "engine", label: t("queue.engine"), cell: (row) => html`<bdi>${row.engine}</bdi>` }] : []),
        { key: "held", label: t("queue.held"), number: true, cell: (row) => t("queue.of", { held: number(row.held), credit: number(row.credit) }) },
        { key: "heard", label: t("queue.heard"), number: true, cell: (row) => (row.heard_ms > SILENT_MS ? html`<${State} kind="care">${t("queue.ago", { time: duration(row.heard_ms / 1000) })}<//>` : t("queue.ago", { time: duration(row.heard_ms / 1000) })) },
    ];
    return html`<${Table} caption=${t("queue.workers")} columns=${columns} rows=${rows} keyOf=${({ name }) => name} />`;
}

export function Queue() {
    const answer = useLive("/queue");
    return html`<div class="half"><${Panel} title=${t("queue.title")} about=${t("queue.about")} answer=${answer}
        content=${(data) => html`<dl class="counts">${["todo", "in_flight", "done", "dead"].map((name) => html`<div key=${name} class=${name === "dead" && data.dead > 0 ? "count-bad" : ""}><dt>${t(`queue.${name}`)}</dt><dd>${number(data[name])}</dd></div>`)}</dl>
            ${data.workers.length === 0 ? html`<${Empty} title=${t("queue.nobody")}><p>${data.reason || t("queue.nobody.hint")}</p><//>` : html`<${Workers} rows=${data.workers} />`}`} /></div>`;
}
