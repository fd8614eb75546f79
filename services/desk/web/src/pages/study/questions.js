// One question after the other: two cards of reasons for the same investor and bond. Each answer is saved at once, with the time it took.
import { useCallback, useEffect, useId, useRef, useState } from "preact/hooks";
import { get, path, post, Problem, useGet } from "../../api.js";
import { announce, notify } from "../../components/announce.js";
import { isShortcut } from "../../components/help.js";
import { CategoryIcon } from "../../components/icons.js";
import { useMedia } from "../../components/media.js";
import { Legend } from "../../components/reasons.js";
import { Empty, Failure, problemText, Waiting } from "../../components/states.js";
import { html } from "../../html.js";
import { day, number, percent, t, useLanguage } from "../../language.js";
import { href } from "../../route.js";

const UNREAD_MS = 300; // a key pressed sooner was meant for the question before
const TRIES = 4; // of a desk that is busy, or whose list was just made again
const MAX_WAIT_S = 5;
const ANSWERS = [["left", "1", "study.choose.left"], ["right", "2", "study.choose.right"], ["tie", "T", "study.tie"], ["skip", "S", "study.skip"]];
const KEYS = { 1: "left", 2: "right", t: "tie", s: "skip", u: "undo" };

/** Milliseconds that a question has been seen: the time in a hidden window is none. */
function useClock(question) {
    const clock = useRef({ seen: 0, since: 0 });
    useEffect(() => {
        const now = clock.current;
        now.seen = 0;
        now.since = document.hidden ? 0 : performance.now();
        const changed = () => {
            if (document.hidden && now.since > 0) {
                now.seen += performance.now() - now.since;
                now.since = 0;
            } else if (!document.hidden && now.since === 0) {
                now.since = performance.now();
            }
        };
        document.addEventListener("visibilitychange", changed);
        return () => document.removeEventListener("visibilitychange", changed);
    }, [question]);
    return () => Math.round(clock.current.seen + (clock.current.since > 0 ? performance.now() - clock.current.since : 0));
}

/** Ask for a question; a desk that says "once more" is asked once more. */
async function askFor(language, current) {
    for (let attempt = 1; ; attempt++) {
        try {
            return await get("/study/question", { lang: language });
        } catch (problem) {
            if (![409, 429, 503].includes(problem.status) || attempt === TRIES || !current()) {
                throw problem;
            }
            await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(MAX_WAIT_S, problem.retryAfter || 1)));
        }
    }
}

/** The question at hand: {question, problem, loading, ask}; question null: all are answered. */
function useQuestion(language) {
    const [state, setState] = useState({ question: null, problem: null, loading: true });
    const turn = useRef(0);
    const ask = useCallback(async () => {
        const mine = ++turn.current;
        let next;
        try {
            next = { question: await askFor(language, () => mine === turn.current), problem: null, loading: false };
        } catch (error) {
            next = { problem: error instanceof Problem ? error : new Problem(-1, "", String(error)), loading: false };
        }
        if (mine === turn.current) {
            setState((before) => ({ ...before, ...next }));
        }
        return next;
    }, [language]);
    useEffect(() => {
        ask();
        return () => {
            turn.current++;
        };
    }, [ask]);
    return { ...state, ask };
}

function valueText(value, kind) {
    if (value === null || value === undefined) {
        return t("value.unknown");
    }
    if (kind === "flag" && ["yes", "no"].includes(String(value))) {
        return t(`value.${value}`);
    }
    return typeof value === "number" ? number(value, Number.isInteger(value) ? 0 : 2) : String(value);
}

/** What is asked about: the investor and the bond with all its features. */
function Case({ question }) {
    const { bond, investor, probability } = question;
    const wide = useMedia("(min-width: 1101px)");
    const detail = useGet(bond.feature_fields && bond.issue_date ? null : path("bonds", bond.id)).data;
    const fields = bond.feature_fields ?? detail?.feature_fields
        ?? Object.entries(bond.features).map(([name, value]) => ({ name, label: name, value }));
    const issue = bond.issue_date ?? detail?.issue_date;
    return html`<section class="panel case" aria-label=${t("study.case")}>
        <div class="case-who"><span class="case-label">${t("study.investor")}</span><strong><bdi>${investor}</bdi></strong></div>
        <div class="case-who"><span class="case-label">${t("study.probability")}</span><strong>${percent(probability)}</strong></div>
        <div class="case-who"><span class="case-label">${t("study.bond")}</span><strong><bdi>${bond.id}</bdi></strong></div>
        <div class="case-who"><span class="case-label">${t("study.issuer")}</span><strong><bdi>${bond.issuer}</bdi></strong></div>
        ${issue && html`<div class="case-who"><span class="case-label">${t("study.issue")}</span><strong>${day(issue)}</strong></div>`}
        <details class="case-more" open=${wide}><summary>${t("features.all", { n: number(fields.length) })}</summary><dl class="case-features">${fields.map(({ name, label, value, kind }) => html`<div key=${name}>
            <dt><bdi>${label}</bdi></dt><dd><bdi>${valueText(value, kind)}</bdi></dd></div>`)}</dl></details>
    </section>`;
}

/** The sentence without the tag that stands before it. */
function restOf({ tag, sentence }) {
    const rest = sentence.startsWith(tag) ? sentence.slice(tag.length).replace(/^[.。:：\s]+/u, "") : sentence;
    return rest === "" ? sentence : rest;
}

function Side({ side, reasons, others }) {
    const id = useId();
    const category = (reason) => (["preference", "attribute", "ability"].includes(reason.category) ? reason.category : "attribute");
    return html`<section class="panel side" aria-labelledby=${id}>
        <h2 id=${id}>${t(`study.${side}`)}</h2>
        <ol class="side-reasons">${reasons.map((reason, i) => html`<li key=${i} class=${`side-reason ${category(reason)}`}>
            <p class=${`tag ${category(reason)}`}><${CategoryIcon} category=${category(reason)} /><span class="hidden">${t(`category.${category(reason)}`)}: </span><bdi
                class="tag-text">${reason.tag}</bdi></p>
            ${others.has(reason.tag) && html`<span class="in-both">${t("study.both")}</span>`}
            <p class="side-sentence"><bdi>${restOf(reason)}</bdi></p>
        </li>`)}</ol>
    </section>`;
}

function Done({ count, busy, onUndo, headingRef }) {
    return html`<section class="panel done"><h2 ref=${headingRef} tabindex="-1">${t(count > 0 ? "study.done" : "study.done.nothing")}</h2>
        <p>${count > 0 ? t("study.done.count", { n: count }) : t("study.done.none")}</p>
        <p class="done-actions"><a class="button primary" href=${href(["study", "result"])}>${t("study.done.result")}</a>
            <button type="button" class="button" aria-disabled=${busy} onClick=${onUndo}><kbd aria-hidden="true">U</kbd>${t("study.undo")}</button></p>
    </section>`;
}

function Question({ question, busy, failure, headingRef, onChoose, onUndo }) {
    const left = new Set(question.left.map(({ tag }) => tag));
    const right = new Set(question.right.map(({ tag }) => tag));
    return html`<div class="question" aria-busy=${busy}>
        <header class="question-top">
            <h2 ref=${headingRef} tabindex="-1">${question.total ? t("study.n.of", { n: number(question.n), total: number(question.total) }) : t("study.n", { n: number(question.n) })}
                <span class="question-text">${t("study.question")}</span></h2>
            <${Legend} />
        </header>
        <${Case} question=${question} />
        <div class="sides">
            <${Side} side="left" reasons=${question.left} others=${right} />
            <${Side} side="right" reasons=${question.right} others=${left} />
        </div>
        ${failure && html`<p class="not-saved" role="alert">${t("study.failed")} ${problemText(failure)} ${failure.detail}</p>`}
        <div class="question-bar" role="group" aria-label=${t("study.answers")}>
            ${ANSWERS.map(([choice, key, word]) => html`<button key=${choice} type="button" class=${`button ${choice === "left" || choice === "right" ? "choose" : ""}`}
                aria-disabled=${busy} onClick=${() => onChoose(choice)}><kbd aria-hidden="true">${key}</kbd>${t(word)}</button>`)}
            <button type="button" class="button" disabled=${question.n <= 1} aria-disabled=${busy} onClick=${onUndo}><kbd aria-hidden="true">U</kbd>${t("study.undo")}</button>
            <p class="bar-note">${t("study.saved")}</p>
        </div>
    </div>`;
}

export function Questions() {
    const language = useLanguage();
    const { question, problem, loading, ask } = useQuestion(language);
    const [busy, setBusy] = useState(false);
    const [failure, setFailure] = useState(null);
    const [count, setCount] = useState(0);
    const heading = useRef();
    const key = question ? JSON.stringify([question.n, question.bond.id, question.investor]) : null;
    const seen = useClock(key);
    const working = useRef(false);

    /** Send, then show what comes next with the focus at its head. */
    const step = async (name, body, said) => {
        working.current = true;
        setBusy(true);
        setFailure(null);
        try {
            const answer = await post(name, body);
            if (answer?.withdrawn === false) {
                notify(t("study.undo.none"));
                return;
            }
            setCount((n) => Math.max(0, n + (name === "/study/undo" ? -1 : 1)));
            const next = await ask();
            if (!next.problem) {
                announce(`${said} ${next.question ? t("study.n", { n: number(next.question.n) }) : t("study.done")}`);
                requestAnimationFrame(() => {
                    heading.current?.focus({ preventScroll: true });
                    document.getElementById("main").scrollTop = 0;
                });
            }
        } catch (error) {
            if (error instanceof Problem && error.status === 409) {
                notify(t(name === "/study/undo" ? "study.undo.none" : "study.elsewhere"));
                await ask();
            } else {
                setFailure(error instanceof Problem ? error : new Problem(-1, "", String(error)));
            }
        } finally {
            working.current = false;
            setBusy(false);
        }
    };
    const choose = (choice) => {
        if (!working.current && question && seen() >= UNREAD_MS) {
            step("/study/answers", { ticket: question.ticket, choice, milliseconds: seen() }, t(`study.said.${choice}`));
        }
    };
    const undo = () => {
        if (!working.current && (question === null || question.n > 1)) {
            step("/study/undo", {}, t("study.said.undo"));
        }
    };
    const latest = useRef();
    latest.current = (name) => (name === "undo" ? undo() : choose(name));
    useEffect(() => {
        const pressed = (event) => {
            const name = KEYS[event.key.toLowerCase()];
            if (name && !event.repeat && !event.shiftKey && isShortcut(event)) {
                event.preventDefault();
                latest.current(name);
            }
        };
        addEventListener("keydown", pressed);
        return () => removeEventListener("keydown", pressed);
    }, []);

    if (loading) {
        return html`<div class="panel"><${Waiting} rows=${8} /></div>`;
    }
    if (problem) {
        return problem.status === 404 ? html`<div class="panel"><${Empty} title=${t("study.none")}><p>${t("study.none.hint")}</p><//></div>`
            : html`<div class="panel"><${Failure} problem=${problem} onRetry=${ask} /></div>`;
    }
    return question === null ? html`<${Done} count=${count} busy=${busy} onUndo=${undo} headingRef=${heading} />`
        : html`<${Question} question=${question} busy=${busy} failure=${failure} headingRef=${heading} onChoose=${choose} onUndo=${undo} />`;
}
