// The bonds at left: search, dates, state, order; groups by issue day; a list to walk with the arrows.
import { useEffect, useRef, useState } from "preact/hooks";
import { useGet } from "../../api.js";
import { html } from "../../html.js";
import { day, number, t } from "../../language.js";
import { href, navigate } from "../../route.js";
import { Icon } from "../../components/icons.js";
import { Empty, Failure, Waiting } from "../../components/states.js";

const PAGE = 100;
const MOST = 1000;
const TYPING_MS = 150;
const REFRESH_MS = 10000;
const WORKING_MS = 2500; // while a list on the screen is being worked out
const STATES = ["upcoming", "announced", "issued", ""];
const SORTS = ["issue", "-issue", "id", "-id", "investors"];
const DAY_MS = 86400000;

/** A value that follows another one when that has rested. */
function useRested(value, wait) {
    const [rested, setRested] = useState(value);
    useEffect(() => {
        const timer = setTimeout(() => setRested(value), wait);
        return () => clearTimeout(timer);
    }, [value, wait]);
    return rested;
}

function away(issueDate, businessDay) {
    const days = Math.round((Date.parse(issueDate) - Date.parse(businessDay)) / DAY_MS);
    if (Number.isNaN(days)) {
        return "";
    }
    return days === 0 ? t("day.today") : t(days > 0 ? "day.in" : "day.ago", { n: Math.abs(days) });
}

/** What has become of a bond's list, in a word. */
function listState({ cancelled, list }) {
    if (cancelled) {
        return "cancelled";
    }
    if (!list) {
        return "none";
    }
    return list.dead ? "dead" : list.pending ? "pending" : list.backtest ? "backtest" : "ready";
}

function BondRow({ bond, chosen, tabbable }) {
    const state = listState(bond);
    return html`<li><a class=${`bond bond-${state}`} href=${href(["bonds", bond.id])} tabindex=${tabbable ? 0 : -1} data-bond=${bond.id}
        aria-current=${chosen ? "true" : undefined}>
        <span class="bond-id"><bdi>${bond.id}</bdi></span>
        <span class="bond-state">${t(`list.${state}`, { n: bond.list?.investors ?? 0 })}</span>
        <span class="bond-issuer"><bdi>${bond.issuer}</bdi></span>
        <span class="bond-day">${day(bond.issue_date, true)}</span>
    </a></li>`;
}

function Filters({ filter, change, searchRef, onSearchKey }) {
    const set = (name) => (event) => change({ ...filter, [name]: event.currentTarget.value });
    return html`<form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
        <div class="search"><${Icon} name="search" />
            <input ref=${searchRef} type="search" value=${filter.q} onInput=${set("q")} onKeyDown=${onSearchKey} maxlength="200"
                placeholder=${t("bonds.search")} aria-label=${t("bonds.search")} autocomplete="off" spellcheck=${false} />
            <kbd aria-hidden="true">/</kbd></div>
        <div class="filter-row">
            <label><span>${t("bonds.state")}</span><select value=${filter.state} onChange=${set("state")}>
                ${STATES.map((state) => html`<option key=${state} value=${state}>${t(`state.${state || "all"}`)}</option>`)}</select></label>
            <label><span>${t("bonds.sort")}</span><select value=${filter.sort} onChange=${set("sort")}>
                ${SORTS.map((sort) => html`<option key=${sort} value=${sort}>${t(`sort.${sort}`)}</option>`)}</select></label>
        </div>
        <div class="filter-row">
            <label><span>${t("bonds.from")}</span><input type="date" value=${filter.from} max=${filter.until || undefined} onInput=${set("from")} /></label>
            <label><span>${t("bonds.until")}</span><input type="date" value=${filter.until} min=${filter.from || undefined} onInput=${set("until")} /></label>
        </div>
    </form>`;
}

/** The bonds in runs of the same issue day; one run without a heading when they are in another order. */
function runsOf(bonds, byDay) {
    const runs = [];
    for (const bond of bonds) {
        const last = runs.at(-1);
        if (last && (!byDay || last.day === bond.issue_date)) {
            last.bonds.push(bond);
        } else {
            runs.push({ day: byDay ? bond.issue_date : null, bonds: [bond] });
        }
    }
    return runs;
}

export const FIRST_FILTER = { q: "", state: "upcoming", sort: "issue", from: "", until: "" };

/** chosen: the open bond; searchRef: the search box, for "/"; onEnter(id): a bond was opened by key, and its list wants the focus. */
export function BondsPanel({ chosen, filter, change, searchRef, onEnter, stepRef }) {
    const [limit, setLimit] = useState(PAGE);
    const [walked, setWalked] = useState(null); // the bond that Tab reaches
    const list = useRef();
    const asked = useRested(filter, TYPING_MS);
    const until = asked.until ? new Date(Date.parse(asked.until) + DAY_MS).toISOString().slice(0, 10) : ""; // people mean the day as well
    const { data, problem, loading, reload } = useGet("/bonds", { ...asked, until, limit },
        (answer) => (answer?.bonds.some((bond) => bond.list?.pending) ? WORKING_MS : REFRESH_MS));
    const shown = useRef(null);
    if (data) {
        shown.current = data; // the former answer stays until the next is there
    }
    const answer = shown.current;
    const fallen = useRef(false);
    useEffect(() => { // once: where nothing is upcoming there may still be something to look at
        if (data && !fallen.current) {
            fallen.current = true;
            if (data.total === 0 && filter === FIRST_FILTER) {
                change({ ...filter, state: "", sort: "-issue" });
            }
        }
    }, [data]);
    const bonds = answer?.bonds ?? [];
    const tabbed = bonds.some(({ id }) => id === walked) ? walked : bonds.some(({ id }) => id === chosen) ? chosen : bonds[0]?.id;

    const links = () => [...list.current.querySelectorAll("[data-bond]")];
    const focusLink = (link) => {
        if (link) {
            setWalked(link.dataset.bond);
            link.focus();
        }
    };
    const searchKey = (event) => {
        if (event.isComposing) {
            return; // Enter and arrows choose characters then
        }
        const fresh = asked === filter && !loading;
        if (event.key === "ArrowDown") {
            event.preventDefault();
            focusLink(links().find((link) => link.tabIndex === 0) ?? links()[0]);
        } else if (event.key === "Enter" && fresh && bonds[0]) {
            navigate(["bonds", bonds[0].id]);
            onEnter(bonds[0].id);
        } else if (event.key === "Escape" && filter.q !== "") {
            event.preventDefault();
            change({ ...filter, q: "" });
        }
    };
    const walk = (event) => {
        const all = links();
        const i = all.indexOf(event.target.closest("[data-bond]"));
        const to = { ArrowDown: i + 1, ArrowUp: i - 1, Home: 0, End: all.length - 1, PageDown: Math.min(i + 10, all.length - 1), PageUp: Math.max(i - 10, 0) }[event.key];
        if (i < 0 || event.ctrlKey || event.metaKey || event.altKey) {
            return;
        }
        if (to !== undefined) {
            event.preventDefault();
            if (to < 0) {
                searchRef.current.focus();
            } else {
                focusLink(all[to]);
            }
        } else if (event.key === "Enter" || event.key === "ArrowRight") {
            event.preventDefault();
            navigate(["bonds", all[i].dataset.bond]);
            onEnter(all[i].dataset.bond);
        }
    };
    stepRef.current = (by) => {
        const i = bonds.findIndex(({ id }) => id === chosen);
        const next = bonds[i < 0 ? 0 : i + by];
        if (next) {
            navigate(["bonds", next.id]);
        }
    };
    useEffect(() => {
        list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
    }, [chosen]);

    const byDay = asked.sort.endsWith("issue");
    const nothing = asked.q || asked.state || asked.from || asked.until ? "bonds.empty" : "bonds.none";
    return html`<section class="bonds" aria-labelledby="bonds-title">
        <div class="bonds-top">
            <h2 id="bonds-title">${t("bonds.title")} <span class="count" role="status">${answer ? number(answer.total) : ""}</span></h2>
            <${Filters} filter=${filter} change=${(next) => { change(next); setLimit(PAGE); }} searchRef=${searchRef} onSearchKey=${searchKey} />
        </div>
        <div class=${loading && answer ? "bonds-list waits" : "bonds-list"} ref=${list} onKeyDown=${walk} onFocusIn=${(event) => setWalked(event.target.dataset.bond ?? walked)}>
            ${!answer && !problem && html`<${Waiting} rows=${9} />`}
            ${problem && html`<${Failure} problem=${problem} onRetry=${reload} />`}
            ${answer && !problem && bonds.length === 0 && html`<${Empty} title=${t(nothing)}><p>${t(`${nothing}.hint`)}</p><//>`}
            ${runsOf(bonds, byDay).map((run) => html`<div class="run" key=${run.day ?? "all"}>
                ${run.day && html`<h3 class="run-day"><span>${day(run.day)}</span><span>${away(run.day, answer.business_day)}</span></h3>`}
                <ul>${run.bonds.map((bond) => html`<${BondRow} key=${bond.id} bond=${bond} chosen=${bond.id === chosen} tabbable=${bond.id === tabbed} />`)}</ul>
            </div>`)}
            ${answer && answer.total > bonds.length && limit < MOST && html`
                <button type="button" class="button more" onClick=${() => setLimit(Math.min(limit + PAGE, MOST))}>${t("bonds.more", { n: answer.total - bonds.length })}</button>`}
        </div>
    </section>`;
}
