// Reasons as tags, and the card with a reason's full sentence. The card shows while its tag or itself is pointed at, or the tag has the focus;
// Escape closes it. One card serves a whole list.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { classes, html } from "../html.js";
import { number, percent, t } from "../language.js";
import { CategoryIcon } from "./icons.js";

const SHOW_MS = 90; // the pointer only passes
const HIDE_MS = 220; // the way from the tag to the card
const EDGE = 8;
const CATEGORIES = new Set(["preference", "attribute", "ability"]);
export const VERDICTS = ["useful", "wrong", "known"];
const VERDICT_SIGNS = { useful: "✓", wrong: "✕", known: "=" };

function categoryOf({ category }) {
    return CATEGORIES.has(category) ? category : "attribute";
}

/** The odds of a bid without the reason, in per cent of those with it: what the sentence says of the gain, as a number. */
function oddsLost(gain) {
    return typeof gain !== "number" ? "–" : `${number(Math.min(99, Math.abs(1 - Math.exp(-Math.abs(gain))) * 100))} %`;
}

/**
 * One reason. `investor` is the entry it belongs to; `verdict` a word of VERDICTS or ""; `fresh`: not among the reasons before the change on the
 * screen; `tabbable`: the one of its row that Tab reaches.
 */
export function Tag({ reason, investor, against = false, verdict = "", fresh = false, tabbable = true }) {
    const category = categoryOf(reason);
    const keep = (element) => {
        if (element) {
            element.reason = { reason, investor, against };
        }
    };
    return html`<button type="button" ref=${keep} tabindex=${tabbable ? 0 : -1} data-item="tag" data-category=${category}
        class=${classes(`tag ${category}`, { against, fresh, [`is-${verdict}`]: verdict })}>
        <${CategoryIcon} category=${category} />
        <span class="hidden">${against ? `${t("against")} ` : ""}${t(`category.${category}`)}: </span>
        <bdi class="tag-text">${reason.tag}</bdi>
        ${fresh && html`<span class="tag-new">${t("tag.new")}</span>`}
        ${verdict && html`<span class="verdict-sign" aria-hidden="true">${VERDICT_SIGNS[verdict]}</span><span class="hidden">, ${t(`verdict.${verdict}`)}</span>`}
    </button>`;
}

/** "Because they bid on" with what was bid on before: `past` as the API has it, `current` the number of the one that Tab reaches; without it all are. */
export function PastBids({ past, investor, current }) {
    return past.length > 0 && html`<span class="past-bids" role="group" aria-label=${t("past")}>
        <span class="past-label" aria-hidden="true">${t("past")}</span>
        ${past.map((one, i) => html`<${PastTag} key=${i} past=${one} investor=${investor} tabbable=${current === undefined || i === current} />`)}
    </span>`;
}

function PastTag({ past, investor, tabbable }) {
    const keep = (element) => {
        if (element) {
            element.reason = { past, investor };
        }
    };
    return html`<button type="button" ref=${keep} tabindex=${tabbable ? 0 : -1} data-item="tag" data-category="past" class="tag past">
        <${CategoryIcon} category="past" />
        <span class="hidden">${t("past")} </span><bdi class="tag-text">${past.issuer}</bdi>
        <span class="past-number" aria-hidden="true">${number(past.bids)}</span><span class="hidden">, ${t("past.bids", { n: past.bids, count: number(past.bids) })}</span>
    </button>`;
}

/** The three categories with colour, sign and border. */
export function Legend() {
    return html`<ul class="legend" aria-label=${t("legend")}>${[...CATEGORIES].map((category) => html`
        <li key=${category} class="tag ${category}"><${CategoryIcon} category=${category} />${t(`category.${category}`)}</li>`)}</ul>`;
}

function Facts({ reason, investor, against }) {
    const support = investor?.support;
    return html`<dl class="facts">
        <div><dt>${t(against ? "fact.lowers" : "fact.gain")}</dt><dd>${oddsLost(reason.gain)}</dd></div>
        ${!against && html`<div><dt>${t("fact.backing")}</dt><dd>${t("fact.sigma", { sigma: number(reason.backing, 1), bids: number(reason.bids) })}</dd></div>`}
        ${support && html`<div><dt>${t("fact.support")}</dt>
            <dd>${t("fact.alike", { n: support.matching, count: number(support.matching), mean: number(support.mean_probability * 100, 1) })}</dd></div>`}
    </dl>`;
}

function PastFacts({ past }) {
    return (past.weight !== null || past.votes) && html`<dl class="facts">
        ${past.weight !== null && html`<div><dt>${t("past.weight")}</dt><dd>${percent(past.weight, 0)}</dd></div>`}
        ${past.votes && html`<div><dt>${t("past.votes")}</dt><dd>${t("past.votes.of", { valid: number(past.votes.valid), of: number(past.votes.of) })}</dd></div>`}
    </dl>`;
}

function Said({ reason, investor, against, past }) {
    const category = past ? "past" : categoryOf(reason);
    const kind = past ? t(past.same_issuer ? "past.same" : "past.kind") : t(`category.${category}`);
    return html`<p class="card-kind ${category}"><${CategoryIcon} category=${category} />${kind}${against ? ` · ${t("against.long")}` : ""}</p>
        <p class="sentence"><bdi>${(past ?? reason).sentence}</bdi></p>
        ${past ? html`<${PastFacts} past=${past} />` : html`<${Facts} reason=${reason} investor=${investor} against=${against} />`}`;
}

function Card({ tip, id, verdictOf, onVerdict, onEnter, onLeave }) {
    const card = useRef();
    const { reason, investor, past } = tip.reason;
    useLayoutEffect(() => {
        const place = () => {
            const tag = tip.getBoundingClientRect();
            const box = card.current;
            const { offsetWidth: width, offsetHeight: height } = box;
            const below = tag.bottom + height + EDGE <= innerHeight || tag.top < height + EDGE;
            box.style.left = `${Math.max(EDGE, Math.min(tag.left, innerWidth - width - EDGE))}px`;
            box.style.top = `${Math.max(0, Math.min(below ? tag.bottom : tag.top - height, innerHeight - height))}px`;
        };
        place();
        addEventListener("scroll", place, { capture: true, passive: true });
        addEventListener("resize", place);
        tip.setAttribute("aria-describedby", id);
        return () => {
            removeEventListener("scroll", place, { capture: true });
            removeEventListener("resize", place);
            tip.removeAttribute("aria-describedby");
        };
    }, [tip, reason ?? past]);
    const verdict = (reason && verdictOf?.(investor, reason)) ?? "";
    return html`<div ref=${card} class="card" onPointerEnter=${onEnter} onPointerLeave=${onLeave}><div class="card-in">
        <div role="tooltip" id=${id}><${Said} ...${tip.reason} /></div>
        ${onVerdict && reason && html`<div class="verdicts" role="group" aria-label=${t("verdict")}>
            <span class="verdicts-label">${t("verdict.ask")}</span>
            ${VERDICTS.map((value, i) => html`<button key=${value} type="button" tabindex="-1" class="choice" aria-pressed=${verdict === value}
                onMouseDown=${(event) => event.preventDefault()} onClick=${() => onVerdict(investor, reason, verdict === value ? "" : value)}>
                <span aria-hidden="true">${VERDICT_SIGNS[value]}</span> ${t(`verdict.${value}`)} <kbd aria-hidden="true">${i + 1}</kbd></button>`)}
        </div>`}
    </div></div>`;
}

/**
 * Everything below it may hold tags. verdictOf(investor, reason) and onVerdict(investor, reason, value), if people may judge: the card has buttons
 * then, and 1, 2, 3 on a focused tag do the same.
 */
export function Reasons({ id = "reason", verdictOf, onVerdict, children }) {
    const [tip, setTip] = useState(null);
    const timer = useRef(0);
    const over = useRef(false); // the pointer is on the card or its tag
    const later = (next, wait) => {
        clearTimeout(timer.current);
        timer.current = setTimeout(() => setTip(next), wait);
    };
    const tagOf = (event) => event.target.closest?.("[data-item=tag]") ?? null;
    const pointerOver = (event) => {
        const tag = tagOf(event);
        if (tag && event.pointerType !== "touch") {
            over.current = true;
            later(tag, tip ? 0 : SHOW_MS);
        }
    };
    const leave = () => {
        over.current = false;
        const focused = document.activeElement?.matches("[data-item=tag]:focus-visible") ? document.activeElement : null;
        later(() => focused, HIDE_MS);
    };
    const pointerOut = (event) => {
        const tag = tagOf(event);
        if (tag && !tag.contains(event.relatedTarget)) {
            leave();
        }
    };
    const focusIn = (event) => {
        const tag = tagOf(event);
        if (tag) {
            clearTimeout(timer.current);
            setTip(tag);
        }
    };
    const focusOut = (event) => {
        if (tagOf(event) && !over.current) {
            later(null, 0);
        }
    };
    const pressed = (event) => {
        const verdict = VERDICTS[Number(event.key) - 1];
        const tag = tagOf(event);
        if (tag?.reason.reason && verdict && onVerdict && !event.ctrlKey && !event.metaKey && !event.altKey) {
            const { reason, investor } = tag.reason;
            event.preventDefault();
            onVerdict(investor, reason, verdictOf(investor, reason) === verdict ? "" : verdict);
        }
    };
    useEffect(() => {
        if (!tip) {
            return undefined;
        }
        const escape = (event) => {
            if (event.key === "Escape" && !document.querySelector("dialog[open]")) { // a dialog above the card takes the key
                event.preventDefault();
                event.stopPropagation();
                clearTimeout(timer.current);
                setTip(null);
            }
        };
        document.addEventListener("keydown", escape, true);
        return () => document.removeEventListener("keydown", escape, true);
    }, [tip]);
    useEffect(() => () => clearTimeout(timer.current), []);
    const enter = () => {
        over.current = true;
        clearTimeout(timer.current);
    };
    const shown = tip?.isConnected && tip.reason ? tip : null;
    return html`<div class="reasons" onPointerOver=${pointerOver} onPointerOut=${pointerOut} onFocusIn=${focusIn} onFocusOut=${focusOut} onKeyDown=${pressed}>
        ${children}
        ${shown && html`<${Card} tip=${shown} id=${id} verdictOf=${verdictOf} onVerdict=${onVerdict} onEnter=${enter} onLeave=${leave} />`}
    </div>`;
}
