// The head of a bond's list: what bond it is, what the list is worth, and what can be done with it.
import { useRef } from "preact/hooks";
import { path, url } from "../../api.js";
import { html } from "../../html.js";
import { day, language, number, t } from "../../language.js";
import { href } from "../../route.js";
import { Icon } from "../../components/icons.js";
import { Legend } from "../../components/reasons.js";
import { Banner } from "../../components/states.js";
import { CALLS } from "./notes.js";

const LEADING = 8; // features that stand in the head; the others are one click away
export const MARK_FILTERS = ["all", "open", ...CALLS];

/** A feature's value as people read it. */
export function valueText(field, value = field.value) {
    if (value === null || value === undefined) {
        return t("value.unknown");
    }
    if (field.kind === "flag") {
        const text = String(value);
        return ["yes", "1", "true"].includes(text) ? t("value.yes") : ["no", "0", "false"].includes(text) ? t("value.no") : text;
    }
    return typeof value === "number" ? number(value, Number.isInteger(value) ? 0 : 2) : String(value);
}

function Features({ fields, changed }) {
    const item = (field) => html`<div key=${field.name} class=${field.name in changed ? "feature changed" : "feature"}>
        <dt><bdi>${field.label}</bdi></dt><dd><bdi>${valueText(field, field.name in changed ? changed[field.name] : field.value)}</bdi></dd></div>`;
    const rest = fields.slice(LEADING);
    return html`<dl class="features">${fields.slice(0, LEADING).map(item)}</dl>
        ${rest.length > 0 && html`<details class="more-features"><summary>${t("features.all", { n: fields.length })}</summary><dl class="features">${rest.map(item)}</dl></details>`}`;
}

function Export({ bond }) {
    const menu = useRef();
    const close = () => {
        menu.current.open = false;
    };
    const escape = (event) => {
        if (event.key === "Escape" && menu.current.open) {
            event.preventDefault();
            close();
            menu.current.firstElementChild.focus();
        }
    };
    const left = (event) => {
        if (!menu.current.contains(event.relatedTarget)) {
            close();
        }
    };
    return html`<details class="menu" ref=${menu} onKeyDown=${escape} onFocusOut=${left}>
        <summary class="button"><${Icon} name="download" />${t("export")}</summary>
        <div class="menu-list">${["utf-8", "gb18030"].map((encoding) => html`<a key=${encoding} download=""
            href=${url(path("bonds", bond, "recommendations.csv"), { lang: language(), encoding })} onClick=${close}>${t(`export.${encoding}`)}</a>`)}</div>
    </details>`;
}

/** What one must know before calling by this list. */
export function Warnings({ bond, data, offline }) {
    return html`
        ${offline && html`<${Banner} kind="warning" title=${t("offline")}>${t("offline.hint")}<//>`}
        ${bond?.cancelled && html`<${Banner} kind="warning" title=${t("cancelled")}>${t("cancelled.hint")}<//>`}
        ${data?.stale && html`<${Banner} kind="warning" title=${t("stale")}><bdi>${data.stale.reason}</bdi><//>`}
        ${data?.backtest && html`<${Banner} kind="warning" title=${t("backtest")}>${t("backtest.hint")}<//>`}
        ${data?.failure && html`<${Banner} kind="warning" title=${t("failure")}><bdi>${data.failure}</bdi><//>`}
        ${data?.pending && html`<${Banner} title=${t("pending")}>${t("pending.hint")}<//>`}
        ${data && data.served === false && !data.backtest && html`<${Banner} title=${t("unserved")}>${t("unserved.hint")}<//>`}`;
}

/** counts: {called: 3, ...}; onWhatIf, onWhyNot: undefined where there is no list. */
export function BondHead({ bond, fields, data, changed, counts, marks, onMarks, onWhatIf, onWhyNot, headingRef }) {
    return html`<header class="bond-head">
        <div class="bond-line">
            <a class="back" href=${href(["bonds"])}>← ${t("bonds.title")}</a>
            <div class="bond-names">
                <h1 tabindex="-1" ref=${headingRef}><bdi>${bond.id}</bdi></h1>
                <p class="bond-about"><span class="bond-of"><bdi>${bond.issuer}</bdi></span>
                    <span>${t("bond.issue", { day: day(bond.issue_date) })}</span>
                    ${data && html`<span>${t("bond.as_of", { day: day(data.as_of) })}</span><span class="snapshot" title=${data.snapshot}>${t("bond.snapshot", { snapshot: data.snapshot.slice(0, 8) })}</span>`}</p>
            </div>
            <div class="actions">
                ${onWhatIf && html`<button type="button" class="button" onClick=${onWhatIf}><${Icon} name="sliders" />${t("what_if")}</button>`}
                ${onWhyNot && html`<button type="button" class="button" onClick=${onWhyNot}><${Icon} name="question" />${t("why_not")}</button>`}
                ${data && html`<${Export} bond=${bond.id} />`}
            </div>
        </div>
        <${Features} fields=${fields} changed=${changed} />
        ${data && html`<div class="list-bar">
            <div class="marks" role="group" aria-label=${t("marks")}>${MARK_FILTERS.map((name) => html`<button key=${name} type="button" class="mark-filter"
                aria-pressed=${marks === name} onClick=${() => onMarks(name)}>${t(`marks.${name}`)} <b>${number(counts[name])}</b></button>`)}</div>
            <${Legend} />
        </div>`}
    </header>`;
}
