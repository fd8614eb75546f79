// Why an investor is not on the list, or where.
import { useEffect, useRef, useState } from "preact/hooks";
import { path, useGet } from "../../api.js";
import { Dialog } from "../../components/dialog.js";
import { PastBids, Reasons, Tag } from "../../components/reasons.js";
import { Failure, Waiting } from "../../components/states.js";
import { html } from "../../html.js";
import { number, percent, t } from "../../language.js";

const FOUND = 20;

function Verdict({ answer, onShow }) {
    const place = { rank: number(answer.rank), eligible: number(answer.eligible), p: percent(answer.probability), cut: percent(answer.cut?.probability), last: number(answer.cut?.rank) };
    return html`<div class="why-answer">
        <p class="why-place">${t(answer.excluded ? "why_not.excluded" : answer.listed ? "why_not.listed" : "why_not.place", place)}</p>
        ${!answer.listed && !answer.excluded && html`<p class="quiet-text">${t("why_not.cut", place)}</p>`}
        ${answer.listed && html`<button type="button" class="button" onClick=${() => onShow(answer.investor)}>${t("why_not.show")}</button>`}
        ${answer.against && html`<h3>${t("why_not.against")}</h3><p class="tags"><${Tag} reason=${answer.against} investor=${answer} against /></p><p class="sentence"><bdi>${answer.against.sentence}</bdi></p>`}
        ${answer.reasons?.length > 0 && html`<h3>${t("why_not.for")}</h3><p class="tags">${answer.reasons.map((reason, i) => html`<${Tag} key=${i} reason=${reason} investor=${answer} />`)}</p>`}
        ${answer.past_bids?.length > 0 && html`<p class="tags"><${PastBids} past=${answer.past_bids} investor=${answer} /></p>`}
    </div>`;
}

function Answer({ bond, investor, onShow }) {
    const { data, problem, loading, reload } = useGet(path("bonds", bond, "investors", investor));
    return html`<section class="why-result" aria-live="polite"><h3 class="why-who"><bdi>${investor}</bdi></h3>
        ${loading && html`<${Waiting} rows=${3} />`}
        ${problem && html`<${Failure} problem=${problem} onRetry=${reload} />`}
        ${data && html`<${Verdict} answer=${data} onShow=${onShow} />`}
    </section>`;
}

export function WhyNot({ bond, onClose, onShow }) {
    const [q, setQ] = useState("");
    const [chosen, setChosen] = useState(null);
    const search = useRef();
    useEffect(() => search.current.focus(), []);
    const { data, problem } = useGet("/investors", { q: q.trim(), limit: FOUND });
    const found = data?.investors ?? [];
    const walk = (event) => {
        const items = [...event.currentTarget.querySelectorAll("input, .found button")];
        const i = items.indexOf(document.activeElement);
        const to = { ArrowDown: i + 1, ArrowUp: i - 1 }[event.key];
        if (i >= 0 && to !== undefined && !event.isComposing) {
            event.preventDefault();
            items[to]?.focus();
        } else if (event.key === "Enter" && i === 0 && found[0] && !event.isComposing) {
            event.preventDefault();
            setChosen(found[0].id);
        }
    };
    return html`<${Dialog} title=${t("why_not.title")} subtitle=${html`<bdi>${bond}</bdi>`} wide onClose=${onClose}>
        <${Reasons} id="why-reason"><div class="why-not">
            <div class="why-search" onKeyDown=${walk}>
                <input type="search" ref=${search} value=${q} onInput=${(event) => setQ(event.currentTarget.value)} placeholder=${t("why_not.search")} aria-label=${t("why_not.search")} autocomplete="off" />
                ${problem && html`<p class="bad">${problem.detail || t("problem.other")}</p>`}
                <p class="hidden" role="status">${data ? t("why_not.found", { n: data.total }) : ""}</p>
                <ul class="found">${found.map(({ id }) => html`<li key=${id}><button type="button" aria-pressed=${chosen === id} onClick=${() => setChosen(id)}><bdi>${id}</bdi></button></li>`)}</ul>
                ${data && found.length === 0 && html`<p class="quiet-text">${t("why_not.nobody")}</p>`}
            </div>
            ${chosen === null ? html`<p class="why-result quiet-text">${t("why_not.hint")}</p>` : html`<${Answer} key=${chosen} bond=${bond} investor=${chosen} onShow=${onShow} />`}
        </div><//>
    <//>`;
}
