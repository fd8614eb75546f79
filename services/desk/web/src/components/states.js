// What stands where content would: waiting, nothing there, something wrong; and banners above content that needs a word of care.
import { html } from "../html.js";
import { has, t } from "../language.js";
import { Icon } from "./icons.js";

/** Grey lines in the place of what is being asked for; `rows` of them. */
export function Waiting({ rows = 6 }) {
    return html`<div class="waiting" role="status"><span class="hidden">${t("waiting")}</span>
        ${Array.from({ length: rows }, (_, i) => html`<div key=${i} class="bone" aria-hidden="true"></div>`)}</div>`;
}

/** heading: it stands in the place of the page's first heading. */
export function Empty({ title, heading, children }) {
    return html`<div class="empty"><${heading ? "h1" : "p"} class="empty-title">${title}<//>${children}</div>`;
}

/** In words people can act on; the desk's own words below. */
export function problemText(problem) {
    if (problem.late) {
        return t("problem.late");
    }
    const key = `problem.${problem.status}`;
    return has(key) ? t(key) : t(problem.status >= 500 ? "problem.500" : "problem.other");
}

export function Failure({ problem, heading, onRetry }) {
    return html`<div class="failure" role="alert">
        <${Icon} name="warning" />
        <${heading ? "h1" : "p"} class="empty-title">${problemText(problem)}<//>
        ${problem.detail && html`<p class="detail">${problem.detail}</p>`}
        <p class="detail">${problem.status > 0 ? t("problem.code", { code: problem.status }) : ""}</p>
        ${onRetry && html`<button type="button" class="button" onClick=${onRetry}>${t("retry")}</button>`}
    </div>`;
}

/** kind: "warning" or "info". */
export function Banner({ kind = "info", title, children }) {
    return html`<div class="banner ${kind}"><${Icon} name=${kind} /><div><strong>${title}</strong> ${children}</div></div>`;
}
