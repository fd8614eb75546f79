// What runs, what waits, what was refused, and who did what. Asked again every five seconds while somebody looks.
import "./operations.css";
import { may, me } from "../../api.js";
import { Banner } from "../../components/states.js";
import { html } from "../../html.js";
import { day, has, number, t, useLanguage } from "../../language.js";
import { Audit } from "./audit.js";
import { Jobs } from "./jobs.js";
import { Processes } from "./processes.js";
import { Queue } from "./queue.js";
import { Rejects } from "./rejects.js";
import { History } from "./history.js";
import { useLive, usePause } from "./refresh.js";

/** What it means for people that a process is away: of "explainer-2" what it means of an explainer. */
function without(name) {
    const key = `ops.without.${name.replace(/-\d+$/, "")}`;
    return has(key) ? t(key) : "";
}

/** What an operator must know before anything else, in words. */
function Alarms({ status, processes }) {
    const away = processes.problem?.status === 0 || status.problem?.status === 0;
    const down = (processes.data?.processes ?? []).filter(({ state, ready }) => state !== "running" || !ready);
    return html`<div class="alarms" aria-live="polite">
        ${away && html`<${Banner} kind="warning" title=${t("ops.desk_away")}>${t("ops.desk_away.hint")}<//>`}
        ${!away && down.map(({ name, state, reason }) => html`<${Banner} key=${name} kind="warning" title=${t(state === "running" ? "ops.not_ready" : `ops.is_${state}`, { name })}>
            ${without(name)} ${reason && html`<bdi>(${reason})</bdi>`}<//>`)}
        ${status.data?.dead > 0 && html`<${Banner} kind="info" title=${t("ops.dead", { n: status.data.dead, count: number(status.data.dead) })}>${t("ops.dead.hint")}<//>`}
    </div>`;
}

function Facts({ data }) {
    const facts = [
        ["market", html`<bdi>${data.market ?? "–"}</bdi>`], ["business_day", data.business_day ? day(data.business_day) : "–"], ["bonds", number(data.bonds)],
        ["investors", number(data.investors)], ["bids", number(data.bids)], ["ledger", number(data.ledger_head)], ["lists", number(data.lists)],
    ];
    return html`<dl class="facts-strip">${facts.map(([name, value]) => html`<div key=${name}><dt>${t(`ops.fact.${name}`)}</dt><dd>${value}</dd></div>`)}</dl>`;
}

export function OperationsPage() {
    useLanguage();
    const [paused, pause] = usePause();
    const status = useLive("/status");
    const processes = useLive("/processes");
    return html`<div class="page operations">
        <header class="page-head"><div><h1>${t("page.operations")}</h1><p class="page-about">${t("ops.about")} ${t(paused ? "ops.paused" : "ops.live")}${" "}
                <button type="button" class="link pause" aria-pressed=${paused} onClick=${pause}>${t("ops.pause")}</button></p></div>
            ${status.data && html`<${Facts} data=${status.data} />`}</header>
        <${Alarms} status=${status} processes=${processes} />
        ${!may("operator") && html`<p class="read-only">${t("ops.read_only", { role: t(`role.name.${me().role}`) })}</p>`}
        <div class="panels">
            <${Processes} answer=${processes} />
            <${Queue} />
            <${Jobs} />
            <${History} business=${status.data} />
            <${Rejects} />
            <${Audit} />
        </div>
    </div>`;
}
