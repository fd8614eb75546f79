// What if the bond were different: its features to change at left; the list answers at once.
import { useEffect, useRef, useState } from "preact/hooks";
import { path, post, Problem } from "../../api.js";
import { announce } from "../../components/announce.js";
import { problemText } from "../../components/states.js";
import { html } from "../../html.js";
import { language, number, t } from "../../language.js";
import { valueText } from "./bond.js";

const TYPING_MS = 250;
const LIMIT = 50;
const TRIES = 4;

/** The list of the bond with these features changed: {data, problem, busy}; data stays while the next is computed. */
export function useWhatIf(bond, changed) {
    const [state, setState] = useState({ bond: null, data: null, problem: null, busy: false });
    const key = JSON.stringify(changed);
    const text = language();
    useEffect(() => {
        if (bond === null || key === "{}") {
            setState({ bond: null, data: null, problem: null, busy: false });
            return undefined;
        }
        const stopped = new AbortController();
        setState((before) => ({ ...before, busy: true }));
        const ask = async (tries) => {
            try {
                const data = await post(`${path("bonds", bond, "what-if")}`, { features: JSON.parse(key), limit: LIMIT },
                    { changes: false, params: { lang: text }, signal: stopped.signal });
                setState({ bond, data, problem: null, busy: false });
                announce(t("what_if.said", told(data)));
            } catch (problem) {
                if (stopped.signal.aborted) {
                    return;
                }
                if (problem.status === 429 && tries > 1) {
                    timer = setTimeout(() => ask(tries - 1), Math.max(300, 1000 * problem.retryAfter));
                    return;
                }
                setState((before) => ({ ...before, busy: false, problem: problem instanceof Problem ? problem : new Problem(-1, "", String(problem)) }));
            }
        };
        let timer = setTimeout(() => ask(TRIES), TYPING_MS);
        return () => {
            stopped.abort();
            clearTimeout(timer);
        };
    }, [bond, key, text]);
    return state.bond === bond ? state : { ...state, data: null };
}

/** {moved, entered}: how many stand elsewhere now, and how many were not on the list. */
export function told(data) {
    const entered = data.investors.filter(({ was }) => !was || was.rank > LIMIT).length;
    const moved = data.investors.filter(({ was, rank }) => was && was.rank <= LIMIT && was.rank !== rank).length;
    return { moved, entered };
}

function Editor({ field, value, changed, onChange, onReset }) {
    const id = `what-if-${field.name}`;
    const values = field.values ?? [];
    const number_ = field.kind === "continuous" || (values.length === 0 && typeof field.value === "number");
    let input;
    if (number_) {
        const typed = (event) => {
            const next = event.currentTarget.value;
            if (next === "") {
                onChange(null);
            } else if (Number.isFinite(Number(next))) {
                onChange(Number(next));
            }
        };
        input = html`<input id=${id} type="number" step="any" value=${value ?? ""} onInput=${typed} placeholder=${t("value.unknown")} />`;
    } else if (values.length > 0) {
        const all = values.includes(field.value) || field.value === null ? values : [field.value, ...values];
        const at = all.findIndex((one) => one === value);
        input = html`<select id=${id} value=${String(at)} onChange=${(event) => onChange(event.currentTarget.value === "-1" ? null : all[Number(event.currentTarget.value)])}>
            <option value="-1">${t("value.unknown")}</option>
            ${all.map((one, i) => html`<option key=${i} value=${String(i)}>${valueText(field, one)}${one === field.value ? ` ${t("what_if.now")}` : ""}</option>`)}</select>`;
    } else {
        input = html`<input id=${id} type="text" value=${value ?? ""} onInput=${(event) => onChange(event.currentTarget.value || null)} placeholder=${t("value.unknown")} />`;
    }
    return html`<div class=${changed ? "editor changed" : "editor"}>
        <label for=${id}><bdi>${field.label}</bdi></label>${input}
        ${changed && html`<button type="button" class="link" onClick=${onReset} aria-label=${t("what_if.back", { name: field.label })}>${t("what_if.was", { value: valueText(field) })}</button>`}
        ${field.coded === false && html`<span class="uncoded">${t("what_if.uncoded")}</span>`}
    </div>`;
}

/** fields: the bond's feature_fields; changed: {name: value}; change(next). */
export function WhatIfPanel({ bond, fields, changed, change, state, onClose }) {
    const [q, setQ] = useState("");
    const panel = useRef();
    useEffect(() => panel.current.querySelector("input, select").focus(), []);
    const set = (field) => (value) => {
        const next = { ...changed };
        if (value === field.value || (value === null && field.value === undefined)) {
            delete next[field.name];
        } else {
            next[field.name] = value;
        }
        change(next);
    };
    const wanted = q.trim().toLowerCase();
    const shown = fields.filter(({ name, label }) => `${name} ${label}`.toLowerCase().includes(wanted));
    const n = Object.keys(changed).length;
    const key = (event) => {
        if (event.key === "Escape" && !event.defaultPrevented) {
            event.preventDefault();
            onClose();
        }
    };
    return html`<section class="what-if" aria-labelledby="what-if-title" ref=${panel} onKeyDown=${key}>
        <div class="bonds-top">
            <div class="what-if-top"><h2 id="what-if-title">${t("what_if.title")}</h2>
                <button type="button" class="button quiet" onClick=${onClose}>${t("what_if.close")}</button></div>
            <p class="what-if-bond"><bdi>${bond.id}</bdi></p>
            <div class="search"><input type="search" value=${q} onInput=${(event) => setQ(event.currentTarget.value)} placeholder=${t("what_if.search")} aria-label=${t("what_if.search")} /></div>
            <div class="what-if-state">
                <span>${state.problem ? html`<span class="bad">${problemText(state.problem)} ${state.problem.detail}</span>`
                    : state.busy ? t("what_if.busy")
                    : state.data ? t("what_if.result", { ...told(state.data), ms: number(state.data.milliseconds) })
                    : t("what_if.hint")}</span>
                <button type="button" class="button" disabled=${n === 0} onClick=${() => change({})}>${t("what_if.reset")}</button>
            </div>
        </div>
        <div class="bonds-list editors">${shown.map((field) => html`<${Editor} key=${field.name} field=${field} changed=${field.name in changed}
            value=${field.name in changed ? changed[field.name] : field.value} onChange=${set(field)} onReset=${() => set(field)(field.value)} />`)}
            ${shown.length === 0 && html`<p class="quiet-text">${t("what_if.none")}</p>`}</div>
    </section>`;
}
