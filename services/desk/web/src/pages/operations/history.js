// Snapshots: which is served, how it came to that, and the way back.
import { useEffect, useRef, useState } from "preact/hooks";
import { may, me } from "../../api.js";
import { Dialog } from "../../components/dialog.js";
import { Panel, State } from "../../components/panel.js";
import { Empty } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { html } from "../../html.js";
import { has, moment, t } from "../../language.js";
import { Version } from "../quality/snapshots.js";
import { act } from "./jobs.js";
import { useLive } from "./refresh.js";

const KINDS = { published: "good", refused: "bad", rolled_back: "care" };

function Confirm({ version, served, onClose, onDone }) {
    const [busy, setBusy] = useState(false);
    const cancel = useRef();
    useEffect(() => cancel.current.focus(), []); // the safe answer
    const go = async () => {
        if (busy) {
            return;
        }
        setBusy(true);
        const done = await act("/snapshots/rollback", { snapshot: version }, (answer) => t("rollback.done", { snapshot: answer.served.slice(0, 8) }));
        setBusy(false);
        if (done) {
            onDone();
        }
        onClose();
    };
    return html`<${Dialog} title=${t("rollback.title", { snapshot: version.slice(0, 8) })} onClose=${onClose}>
        <p>${t("rollback.what", { from: served.slice(0, 8), to: version.slice(0, 8) })}</p>
        <ul class="consequences">${["lists", "training", "audit", "back"].map((name) => html`<li key=${name}>${t(`rollback.${name}`, { user: me().user })}</li>`)}</ul>
        <div class="dialog-actions">
            <button type="button" class="button" ref=${cancel} onClick=${onClose}>${t("cancel")}</button>
            <button type="button" class="button primary" aria-disabled=${busy} onClick=${go}>${t("rollback.go")}</button>
        </div>
    <//>`;
}

function HistoryTable({ data, onRollback }) {
    const events = [...data.history].reverse();
    const usable = new Set(data.history.filter(({ event }) => event !== "refused").map(({ snapshot }) => snapshot));
    const newest = new Map(events.map((event, i) => [event.snapshot, i]).reverse()); // one button a version
    const columns = [
        { key: "time", label: t("history.time"), cell: (row) => html`<span class="nowrap">${moment(row.time_s * 1000)}</span>` },
        { key: "snapshot", label: t("history.snapshot"), head: true, cell: (row) => html`<${Version} version=${row.snapshot} />` },
        { key: "event", label: t("history.event"), cell: (row) => html`<${State} kind=${KINDS[row.event] ?? "none"}>${has(`history.${row.event}`) ? t(`history.${row.event}`) : row.event}<//>` },
        { key: "reason", label: t("history.reason"), cell: (row) => html`<bdi class="name-cell wide">${row.reason || "–"}</bdi>` },
        { key: "parent", label: t("history.parent"), cell: (row) => (row.parent ? html`<${Version} version=${row.parent} />` : "–") },
        { key: "act", label: html`<span class="hidden">${t("rollback.button")}</span>`, cell: (row) => {
            if (newest.get(row.snapshot) !== events.indexOf(row)) {
                return "";
            }
            if (row.snapshot === data.served) {
                return html`<${State} kind="good">${t("history.served")}<//>`;
            }
            return may("operator") && usable.has(row.snapshot) ? html`<button type="button" class="button" aria-label=${t("rollback.to", { snapshot: row.snapshot.slice(0, 8) })}
                onClick=${() => onRollback(row.snapshot)}>${t("rollback.button")}</button>` : "";
        } },
    ];
    return html`<${Table} caption=${t("history.title")} columns=${columns} rows=${events} keyOf=${(row, i) => events.length - i} classOf=${(row) => (row.snapshot === data.served && newest.get(row.snapshot) === events.indexOf(row) ? "served" : "")} />`;
}

export function History() {
    const answer = useLive("/snapshots");
    const [version, setVersion] = useState(null);
    return html`<${Panel} title=${t("history.title")} about=${t("history.about")} answer=${answer}
        content=${(data) => html`${data.history.length === 0 ? html`<${Empty} title=${t("history.empty")}><p>${t("history.empty.hint")}</p><//>` : html`<${HistoryTable} data=${data} onRollback=${setVersion} />`}
            ${version !== null && html`<${Confirm} version=${version} served=${data.served} onClose=${() => setVersion(null)} onDone=${answer.reload} />`}`} />`;
}
