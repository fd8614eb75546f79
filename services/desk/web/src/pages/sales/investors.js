// The investors of a bond: one row each, with reasons, the strongest reason against, and what has come of the call. Tab reaches each row once;
// the arrows move inside a row and between rows.
import { Component } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { answeredAt } from "../../api.js";
import { classes, html } from "../../html.js";
import { language, moment, number, percent, t } from "../../language.js";
import { Icon } from "../../components/icons.js";
import { PastBids, Reasons, Tag } from "../../components/reasons.js";
import { CALLS } from "./notes.js";

const CALL_KEYS = { c: "called", i: "interested", d: "declined" };
const CALL_ICONS = { called: "call", interested: "yes", declined: "no" };
const MOVE_MS = 320;
const LIST = 50; // who was further down enters the list

function Moved({ was, rank }) {
    if (was === undefined) {
        return null;
    }
    const enters = was === null || was.rank > LIST;
    const by = enters ? 0 : was.rank - rank;
    if (!enters && by === 0) {
        return html`<span class="moved same"><span aria-hidden="true">·</span><span class="hidden">${t("moved.same")}</span></span>`;
    }
    if (enters) {
        return html`<span class="moved enters">${t("moved.new")}</span>`;
    }
    return html`<span class=${`moved ${by > 0 ? "rises" : "falls"}`}><span aria-hidden="true">${by > 0 ? "▲" : "▼"}${Math.abs(by)}</span>
        <span class="hidden">${t(by > 0 ? "moved.up" : "moved.down", { n: Math.abs(by) })}</span></span>`;
}

function Chance({ investor, most }) {
    const share = most > 0 ? investor.probability / most : 0;
    return html`<span class="chance-number">${percent(investor.probability)}</span>
        <span class="bar" aria-hidden="true"><span style=${{ width: `${Math.min(100, Math.max(1, share * 100))}%` }}></span></span>
        ${investor.was && html`<span class="chance-was">${t("was", { p: percent(investor.was.probability) })}</span>`}`;
}

function Calls({ investor, call, onCall, readOnly, current }) {
    if (readOnly) {
        return call ? html`<span class=${`call-word ${call.value}`}><${Icon} name=${CALL_ICONS[call.value]} />${t(`call.${call.value}`)}</span>` : null;
    }
    const by = call?.user ? t("call.by", { user: call.user, time: moment(call.time) }) : "";
    return html`<span class="calls" role="group" aria-label=${t("calls")} title=${by || undefined}>${CALLS.map((value) => html`
        <button type="button" key=${value} data-item=${value} tabindex=${current === value ? 0 : -1} class=${`call ${value}`} aria-pressed=${call?.value === value}
            aria-label=${t(`call.${value}`)} title=${by ? undefined : t(`call.${value}`)}
            onClick=${() => onCall(investor, call?.value === value ? "" : value)}><${Icon} name=${CALL_ICONS[value]} /><span class="call-name">${t(`call.${value}`)}</span></button>`)}
    </span>`;
}

/** Drawn again only when something it shows has changed: the list has fifty of these. */
class Row extends Component {
    state = { current: 0 }; // the item that Tab reaches, by number

    shouldComponentUpdate(props, state) {
        return state.current !== this.state.current || Object.keys(props).some((name) => props[name] !== this.props[name]);
    }

    focusIn = (event) => {
        const i = itemsOf(event.currentTarget).indexOf(event.target.closest("[data-item]"));
        if (i >= 0 && i !== this.state.current) {
            this.setState({ current: i });
        }
    };

    render({ investor, before, call, notes, most, pending, onCall, readOnly }, { current }) {
        const fields = before && new Set(before.map(({ field }) => field));
        const past = investor.past_bids ?? [];
        const n_tags = investor.reasons.length + (investor.against ? 1 : 0);
        const n = n_tags + past.length;
        const last = n + (readOnly ? 0 : CALLS.length) - 1;
        const at = Math.min(current, Math.max(0, last));
        const verdict = (reason) => notes.verdict(investor.id, reason.field);
        const empty = readOnly && n === 0;
        return html`<div role="row" class=${classes("row", { [`marked-${call?.value}`]: call })} data-row=${investor.rank} onFocusIn=${this.focusIn}
            tabindex=${empty ? 0 : undefined}>
            <span role="cell" class="rank">${number(investor.rank)}<${Moved} was=${investor.was} rank=${investor.rank} /></span>
            <span role="rowheader" class="name"><bdi>${investor.id}</bdi></span>
            <span role="cell" class="chance"><${Chance} investor=${investor} most=${most} /></span>
            <span role="cell" class="why">
                ${investor.reasons.map((reason, i) => html`<${Tag} key=${i} reason=${reason} investor=${investor} verdict=${verdict(reason)}
                    fresh=${fields ? !fields.has(reason.field) : false} tabbable=${i === at} />`)}
                ${investor.against && html`<span key="against" class="against-pair"><span class="against-label" aria-hidden="true">${t("against")}</span><${Tag}
                    reason=${investor.against} investor=${investor} against verdict=${verdict(investor.against)} tabbable=${at === investor.reasons.length} /></span>`}
                <${PastBids} past=${past} investor=${investor} current=${at - n_tags} />
                ${n_tags === 0 && (pending ? html`<span class="bones" aria-hidden="true">${[0, 1, 2, 3, 4, 5].map((i) => html`<span key=${i} class="bone tag-bone"></span>`)}</span><span class="hidden">${t("reasons.pending")}</span>`
                    : html`<span class="no-reasons">${t("reasons.none")}</span>`)}
            </span>
            <span role="cell" class="calls-cell"><${Calls} investor=${investor.id} call=${call} onCall=${onCall} readOnly=${readOnly} current=${CALLS[at - n]} /></span>
        </div>`;
    }
}

function itemsOf(row) {
    return [...row.querySelectorAll("[data-item]")];
}

/** Rows whose place in the order has changed glide there, unless people asked for less motion. Nothing moves when another bond is opened. */
function useGlide(list, key, investors) {
    const former = useRef({ key: null, places: new Map() });
    useLayoutEffect(() => {
        const places = new Map();
        const still = matchMedia("(prefers-reduced-motion: reduce)").matches || former.current.key !== key || former.current.places.size === 0;
        (list.current?.querySelectorAll("[data-row]") ?? []).forEach((row, i) => {
            const id = investors[i]?.id;
            const top = row.offsetTop;
            const from = former.current.places.get(id);
            places.set(id, { i, top });
            if (!still && from && from.i !== i) {
                row.animate([{ transform: `translateY(${from.top - top}px)` }, { transform: "none" }], { duration: MOVE_MS, easing: "ease-out" });
            } else if (!still && !from) {
                row.animate([{ opacity: 0 }, { opacity: 1 }], { duration: MOVE_MS });
            }
        });
        former.current = { key, places };
    }, [investors, key]);
}

/** How long from the answer to its rows on the screen: a measure that a browser's tools, and tests, can read. */
function useShownMeasure(data) {
    useEffect(() => {
        const start = answeredAt(data);
        if (start === undefined) {
            return;
        }
        requestAnimationFrame(() => setTimeout(() => {
            performance.clearMeasures("list-shown");
            performance.measure("list-shown", { start });
        }));
    }, [data]);
}

function moveFocus(event) {
    const row = event.target.closest("[data-row]");
    if (!row || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) {
        return;
    }
    const items = itemsOf(row);
    const at = items.indexOf(event.target.closest("[data-item]"));
    const inRow = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: items.length - 1 }[event.key];
    let target = null;
    if (inRow !== undefined) {
        target = items[inRow];
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        const rows = [...event.currentTarget.querySelectorAll("[data-row]")];
        const next = rows[rows.indexOf(row) + (event.key === "ArrowDown" ? 1 : -1)];
        target = next && (itemsOf(next)[Math.max(at, 0)] ?? itemsOf(next).at(-1) ?? next);
    } else {
        return;
    }
    event.preventDefault();
    target?.focus();
}

/**
 * shown: the investors to show, in order; before: Map of id to reasons before a what-if, or null; data: the answer they come from; key: what list this is.
 */
export function Investors({ id, data, shown, before, notes, pending, readOnly, onCall, onVerdict }) {
    const list = useRef();
    const most = shown.reduce((so_far, { probability }) => Math.max(so_far, probability), 0);
    useGlide(list, id, shown);
    useShownMeasure(data);
    const pressed = (event) => {
        const rank = Number(event.target.closest("[data-row]")?.dataset.row);
        const investor = shown.find((one) => one.rank === rank)?.id;
        const key = event.key.toLowerCase();
        if (investor !== undefined && !readOnly && !event.ctrlKey && !event.metaKey && !event.altKey && (key in CALL_KEYS || key === "u")) {
            event.preventDefault();
            onCall(investor, CALL_KEYS[key] ?? "");
            return;
        }
        moveFocus(event);
    };
    const verdictOf = (investor, reason) => notes.verdict(investor.id, reason.field);
    return html`<${Reasons} verdictOf=${verdictOf} onVerdict=${readOnly ? undefined : onVerdict}>
        <div class="investors" role="table" aria-label=${t("investors.title")} aria-rowcount=${shown.length + 1} ref=${list} onKeyDown=${pressed}>
            <div role="rowgroup" class="head"><div role="row" class="row head-row">
                <span role="columnheader" class="rank">${t("column.rank")}</span>
                <span role="columnheader" class="name">${t("column.investor")}</span>
                <span role="columnheader" class="chance">${t("column.probability")}</span>
                <span role="columnheader" class="why">${t("column.reasons")}</span>
                <span role="columnheader" class="calls-cell">${t("column.calls")}</span>
            </div></div>
            <div role="rowgroup" class="rows">${shown.map((investor) => html`<${Row} key=${investor.id} investor=${investor}
                before=${before?.get(investor.id)} call=${notes.call(investor.id)} notes=${notes} most=${most}
                pending=${pending} onCall=${onCall} readOnly=${readOnly} language=${language()} />`)}</div>
        </div>
    <//>`;
}
