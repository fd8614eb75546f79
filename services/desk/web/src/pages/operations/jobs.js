// Explanations that failed for good, and how they are asked for again.
import { useState } from "preact/hooks";
import { may, post } from "../../api.js";
import { notify } from "../../components/announce.js";
import { Panel } from "../../components/panel.js";
import { Empty, problemText } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { html } from "../../html.js";
import { number, t } from "../../language.js";
import { href } from "../../route.js";
import { useLive } from "./refresh.js";

/** Send; say what came of it, or why not. true when it was done. */
export async function act(name, body, said) {
    try {
        notify(said(await post(name, body)));
        return true;
    } catch (problem) {
        notify(`${t("ops.failed")} ${problemText(problem)} ${problem.detail ?? ""}`, { kind: "problem" });
        return false;
    }
}

export function Jobs() {
    const answer = useLive("/jobs", { state: "dead" });
    const [busy, setBusy] = useState(null);
    const retry = async (job) => {
        if (busy === null) {
            setBusy(job);
            await act("/jobs/retry", { job }, ({ jobs }) => t("jobs.retried", { n: jobs, count: number(jobs) }));
            setBusy(null);
            answer.reload();
        }
    };
    const jobs = answer.data?.jobs ?? [];
    const columns = [
        { key: "bond", label: t("jobs.bond"), head: true, cell: (row) => (row.bond ? html`<a href=${href(["bonds", row.bond])}><bdi class="name-cell">${row.bond}</bdi></a>` : t("jobs.no_bond")) },
        { key: "reason", label: t("jobs.reason"), cell: (row) => html`<bdi class="name-cell wide">${row.reason}</bdi>` },
        { key: "attempts", label: t("jobs.attempts"), number: true, cell: (row) => number(row.attempts) },
        ...(may("operator") ? [{ key: "retry", label: html`<span class="hidden">${t("jobs.retry")}</span>`, cell: (row) => html`
            <button type="button" class="button" aria-disabled=${busy !== null} aria-label=${t("jobs.retry.one", { bond: row.bond ?? row.job })} onClick=${() => retry(row.job)}>${t("jobs.retry")}</button>` }] : []),
    ];
    return html`<div class="half"><${Panel} title=${t("jobs.title")} about=${t("jobs.about")} answer=${answer}
        actions=${jobs.length > 1 && may("operator") && html`<button type="button" class="button" aria-disabled=${busy !== null} onClick=${() => retry("")}>${t("jobs.retry.all", { n: number(jobs.length) })}</button>`}
        content=${({ jobs: rows }) => (rows.length === 0 ? html`<${Empty} title=${t("jobs.empty")} />` : html`<${Table} caption=${t("jobs.title")} columns=${columns} rows=${rows} keyOf=${({ job }) => job} />`)} /></div>`;
}
