import { Panel, State } from "../../components/panel.js";
import { Empty } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { html } from "../../html.js";
import { bytes, duration, has, moment, number, t } from "../../language.js";

const KINDS = { running: "good", stopped: "bad", failing: "bad" };

function role(name) {
    const key = `ops.does.${name.replace(/-\d+$/, "")}`;
    return has(key) ? t(key) : "";
}

function ProcessTable({ rows }) {
    const columns = [
        { key: "name", label: t("ops.process"), head: true, cell: (row) => html`<bdi>${row.name}</bdi><span class="does">${role(row.name)}</span>` },
        { key: "state", label: t("ops.state"), cell: (row) => html`<${State} kind=${KINDS[row.state] ?? "none"}>${has(`ops.state.${row.state}`) ? t(`ops.state.${row.state}`) : row.state}<//>` },
        { key: "ready", label: t("ops.ready"), cell: (row) => html`<${State} kind=${row.ready ? "good" : "care"}>${t(row.ready ? "ops.yes" : "ops.no")}<//>${row.reason && html`<bdi class="reason">${row.reason}</bdi>`}` },
        { key: "since", label: t("ops.since"), cell: (row) => html`<span class="nowrap">${row.since ? moment(row.since) : "–"}</span>` },
        { key: "restarts", label: t("ops.restarts"), number: true, cell: (row) => number(row.restarts) },
        { key: "cpu", label: t("ops.cpu"), number: true, cell: (row) => duration(row.cpu_s) },
        { key: "memory", label: t("ops.memory"), number: true, cell: (row) => bytes(row.memory_bytes) },
        { key: "pid", label: t("ops.pid"), number: true, cell: (row) => row.pid || "–" },
    ];
    return html`<${Table} caption=${t("ops.processes")} columns=${columns} rows=${rows} keyOf=${({ name }) => name} />`;
}

export function Processes({ answer }) {
    const about = (rows) => {
        const ready = rows.filter((row) => row.state === "running" && row.ready).length;
        return ready === rows.length ? t("ops.processes.all", { n: rows.length, count: number(rows.length) }) : t("ops.processes.some", { ready: number(ready), count: number(rows.length) });
    };
    return html`<${Panel} title=${t("ops.processes")} about=${answer.data ? about(answer.data.processes) : ""} answer=${answer}
        content=${({ processes }) => (processes.length === 0 ? html`<${Empty} title=${t("ops.processes.empty")}><p>${t("ops.processes.empty.hint")}</p><//>` : html`<${ProcessTable} rows=${processes} />`)} />`;
}
