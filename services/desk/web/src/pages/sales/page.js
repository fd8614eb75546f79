// Whom to call: the bonds at left, the investors of the chosen one at right.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { may, path, useGet } from "../../api.js";
import { announce, notify } from "../../components/announce.js";
import { isShortcut } from "../../components/help.js";
import { Empty, Failure, Waiting } from "../../components/states.js";
import { html } from "../../html.js";
import { t, useLanguage } from "../../language.js";
import { BondHead, Warnings } from "./bond.js";
import { BondsPanel, FIRST_FILTER } from "./bonds.js";
import { Investors } from "./investors.js";
import { CALLS, short, useNotes } from "./notes.js";
import { useWhatIf, WhatIfPanel } from "./what_if.js";
import { WhyNot } from "./why_not.js";

const PENDING_MS = 2000;
const REFRESH_MS = 10000;
const NO_CHANGES = {};

/** What was answered last for the same key, while the next answer is on its way. */
function useLast(key, data) {
    const last = useRef({ key: null, data: null });
    if (data || last.current.key !== key) {
        last.current = { key, data };
    }
    return last.current.data;
}

function countMarks(investors, notes) {
    const counts = Object.fromEntries([["all", investors.length], ["open", 0], ...CALLS.map((value) => [value, 0])]);
    for (const { id } of investors) {
        counts[notes.call(id)?.value ?? "open"]++;
    }
    return counts;
}

/** Marks and verdicts with a word to all and a way back. */
function useMarking(notes, snapshot) {
    return useMemo(() => {
        const save = (topic, investor, subject, value, before, words, more) => {
            notes.put(topic, investor, subject, value, more);
            notify(words, { undo: () => notes.put(topic, investor, subject, before, more) });
        };
        return {
            call: (investor, value) => {
                const before = notes.call(investor)?.value ?? "";
                if (value !== before) {
                    save("call", investor, "", value, before, t(value ? "note.call" : "note.uncall", { investor: short(investor), value: t(`call.${value || before}`) }));
                }
            },
            verdict: (investor, reason, value) => {
                const before = notes.verdict(investor.id, reason.field);
                save("reason", investor.id, reason.field, value, before,
                    t(value ? "note.verdict" : "note.unverdict", { reason: short(reason.tag), value: t(`verdict.${value || before}`) }), { snapshot });
            },
        };
    }, [notes, snapshot]);
}

function List({ bond, about, whatIf, changed, onWhatIf, wantFocus, actions }) {
    const text = useLanguage();
    const listed = about && about.list !== null;
    const answer = useGet(listed ? path("bonds", bond, "recommendations") : null, undefined,
        (data) => (data?.pending ? PENDING_MS : REFRESH_MS));
    const data = useLast(bond, answer.data);
    const notes = useNotes(listed ? bond : null);
    const [marks, setMarks] = useState("all");
    const [asking, setAsking] = useState(false);
    const heading = useRef();
    const panel = useRef();
    const readOnly = !may("desk");
    const shownData = whatIf.data ?? data;
    const before = useMemo(() => (whatIf.data && data ? new Map(data.investors.map(({ id, reasons }) => [id, reasons])) : null), [whatIf.data, data]);
    const marking = useMarking(notes, shownData?.snapshot);
    const investors = shownData?.investors ?? [];
    const shown = useMemo(() => (marks === "all" ? investors : investors.filter(({ id }) => (notes.call(id)?.value ?? "open") === marks)), [investors, marks, notes]);
    const wasPending = useRef(false);

    useEffect(() => {
        if (data && wasPending.current && !data.pending) {
            announce(t("pending.done"));
        }
        wasPending.current = data?.pending ?? false;
    }, [data]);
    useEffect(() => {
        if (wantFocus.current === bond && (data || answer.problem || (about && !listed))) {
            wantFocus.current = null;
            (panel.current.querySelector("[data-row] [tabindex='0']") ?? heading.current)?.focus();
        }
    }, [data, answer.problem, about]);
    const show = (investor) => {
        setAsking(false);
        setMarks("all");
        requestAnimationFrame(() => {
            const i = investors.findIndex(({ id }) => id === investor);
            const row = panel.current.querySelectorAll("[data-row]")[i];
            row?.scrollIntoView({ block: "center" });
            row?.querySelector("[tabindex='0']")?.focus({ preventScroll: true });
        });
    };
    actions.current = { whatIf: data && about ? onWhatIf : undefined, whyNot: data ? () => setAsking(true) : undefined };

    if (!about) {
        return html`<${Waiting} rows=${12} />`;
    }
    return html`<div class="list-panel" ref=${panel}>
        <${BondHead} bond=${about} fields=${about.feature_fields ?? []} data=${data} changed=${changed} counts=${countMarks(investors, notes)} marks=${marks}
            onMarks=${setMarks} onWhatIf=${actions.current.whatIf} onWhyNot=${actions.current.whyNot} headingRef=${heading} />
        <${Warnings} bond=${about} data=${data} offline=${data && answer.problem} />
        ${whatIf.data && html`<p class="what-if-banner" data-what-if>${t("what_if.banner")}</p>`}
        ${!listed && html`<${Empty} title=${t("no_list")}><p>${t("no_list.hint")}</p><//>`}
        ${listed && !data && (answer.problem ? html`<${Failure} problem=${answer.problem} onRetry=${answer.reload} />` : html`<${Waiting} rows=${12} />`)}
        ${data && html`<${Investors} id=${bond} data=${shownData} shown=${shown} before=${before} notes=${notes} pending=${data.pending} readOnly=${readOnly}
                onCall=${marking.call} onVerdict=${marking.verdict} language=${text} />
            ${shown.length === 0 && html`<${Empty} title=${t(investors.length === 0 ? "list.empty" : "marks.empty")} />`}`}
        ${asking && html`<${WhyNot} bond=${bond} onClose=${() => setAsking(false)} onShow=${show} />`}
    </div>`;
}

function Bond({ id, wantFocus, actions, changed, editing, onEdit, onAbout, whatIf }) {
    const { data, problem, reload } = useGet(path("bonds", id), undefined, () => REFRESH_MS);
    const about = useLast(id, data);
    useEffect(() => onAbout(about), [about]);
    if (problem && !about) {
        return html`<${Failure} problem=${problem} heading onRetry=${reload} />`;
    }
    return html`<${List} bond=${id} about=${about} whatIf=${whatIf} changed=${editing ? changed : NO_CHANGES} onWhatIf=${onEdit} wantFocus=${wantFocus} actions=${actions} />`;
}

export function SalesPage({ parts }) {
    const chosen = parts[0] ?? null;
    const search = useRef();
    const step = useRef(() => {});
    const actions = useRef({});
    const wantFocus = useRef(null); // the bond whose list wants the focus when it is there
    const [edit, setEdit] = useState({ bond: null, changed: {} });
    const [about, setAbout] = useState(null);
    const [filter, setFilter] = useState(FIRST_FILTER);
    const editing = chosen !== null && edit.bond === chosen && about?.id === chosen;
    const whatIf = useWhatIf(editing ? chosen : null, editing ? edit.changed : NO_CHANGES);
    const close = () => {
        setEdit({ bond: null, changed: {} });
        wantFocus.current = null;
        document.querySelector(".bond-head h1")?.focus();
    };
    useEffect(() => {
        actions.current = {};
        const pressed = (event) => {
            if (!isShortcut(event)) {
                return;
            }
            const action = {
                "/": () => search.current?.focus(), j: () => step.current(1), k: () => step.current(-1),
                w: () => actions.current.whyNot?.(), f: () => actions.current.whatIf?.(),
                Escape: () => document.querySelector(".bonds [aria-current], .bonds [data-bond]")?.focus(),
            }[event.key];
            if (action) {
                event.preventDefault();
                action();
            }
        };
        addEventListener("keydown", pressed);
        return () => removeEventListener("keydown", pressed);
    }, []);
    return html`<div class=${chosen === null ? "sales" : "sales has-bond"}>
        ${editing ? html`<${WhatIfPanel} bond=${about} fields=${about.feature_fields ?? []} changed=${edit.changed} state=${whatIf}
                change=${(changed) => setEdit({ bond: chosen, changed })} onClose=${close} />`
            : html`<${BondsPanel} chosen=${chosen} filter=${filter} change=${setFilter} searchRef=${search} stepRef=${step}
                onEnter=${(id) => { wantFocus.current = id; }} />`}
        <section class="chosen" aria-label=${t("investors.title")}>
            ${chosen === null ? html`<${Empty} title=${t("choose")} heading><p>${t("choose.hint")}</p><//>`
                : html`<${Bond} key=${chosen} id=${chosen} wantFocus=${wantFocus} actions=${actions} changed=${edit.changed} editing=${editing}
                    onEdit=${() => setEdit({ bond: chosen, changed: {} })} onAbout=${setAbout} whatIf=${whatIf} />`}
        </section>
    </div>`;
}
