// What pages share that ask people one question after the other: each answer is saved at once, keys answer, the last one can be taken back.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { get, post, Problem } from "../api.js";
import { html } from "../html.js";
import { number, t } from "../language.js";
import { announce, notify } from "./announce.js";
import { isShortcut } from "./help.js";
import { problemText } from "./states.js";

const UNREAD_MS = 300; // a key pressed sooner was meant for the question before
const TRIES = 4; // of a desk that is busy, or whose list was just made again
const MAX_WAIT_S = 5;

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
async function askFor(path, language, current) {
    for (let attempt = 1; ; attempt++) {
        try {
            return await get(path, { lang: language });
        } catch (problem) {
            if (![409, 429, 503].includes(problem.status) || attempt === TRIES || !current()) {
                throw problem;
            }
            await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(MAX_WAIT_S, problem.retryAfter || 1)));
        }
    }
}

/** The question at hand: {question, problem, loading, ask}; question null: all are answered. */
function useQuestion(path, language) {
    const [state, setState] = useState({ question: null, problem: null, loading: true });
    const turn = useRef(0);
    const ask = useCallback(async () => {
        const mine = ++turn.current;
        let next;
        try {
            next = { question: await askFor(path, language, () => mine === turn.current), problem: null, loading: false };
        } catch (error) {
            next = { problem: error instanceof Problem ? error : new Problem(-1, "", String(error)), loading: false };
        }
        if (mine === turn.current) {
            setState((before) => ({ ...before, ...next }));
        }
        return next;
    }, [path, language]);
    useEffect(() => {
        ask();
        return () => {
            turn.current++;
        };
    }, [ask]);
    return { ...state, ask };
}

function useKeys(keys, latest) {
    useEffect(() => {
        const pressed = (event) => {
            const name = keys[event.key.toLowerCase()];
            if (name && !event.repeat && !event.shiftKey && isShortcut(event)) {
                event.preventDefault();
                latest.current(name);
            }
        };
        addEventListener("keydown", pressed);
        return () => removeEventListener("keydown", pressed);
    }, []);
}

/**
 * base: path of the questions, base/question and base/undo; answers: path that takes body(question, choice, milliseconds); keys: {key: choice or "undo"};
 * words: what its texts begin with; keyOf(question) tells questions apart.
 */
export function useAsking({ base, answers, keys, words, keyOf, body }, language) {
    const { question, problem, loading, ask } = useQuestion(`${base}/question`, language);
    const [busy, setBusy] = useState(false);
    const [failure, setFailure] = useState(null);
    const [count, setCount] = useState(0);
    const heading = useRef();
    const seen = useClock(question ? keyOf(question) : null);
    const working = useRef(false);

    /** Send, then show what comes next with the focus at its head. */
    const step = async (name, sent, said) => {
        const undoes = name === `${base}/undo`;
        working.current = true;
        setBusy(true);
        setFailure(null);
        try {
            const answer = await post(name, sent);
            if (answer?.withdrawn === false) {
                notify(t(`${words}.undo.none`));
                return;
            }
            setCount((n) => Math.max(0, n + (undoes ? -1 : 1)));
            const next = await ask();
            if (!next.problem) {
                announce(`${said} ${next.question ? t(`${words}.n`, { n: number(next.question.n) }) : t(`${words}.done`)}`);
                requestAnimationFrame(() => {
                    heading.current?.focus({ preventScroll: true });
                    document.getElementById("main").scrollTop = 0;
                });
            }
        } catch (error) {
            if (error instanceof Problem && error.status === 409) {
                notify(t(undoes ? `${words}.undo.none` : `${words}.elsewhere`));
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
            step(answers, body(question, choice, seen()), t(`${words}.said.${choice}`));
        }
    };
    const undo = () => {
        if (!working.current && (question === null || question.n > 1)) {
            step(`${base}/undo`, {}, t(`${words}.said.undo`));
        }
    };
    const latest = useRef();
    latest.current = (name) => (name === "undo" ? undo() : choose(name));
    useKeys(keys, latest);
    return { question, problem, loading, ask, busy, failure, count, heading, choose, undo };
}

/** What stands below a question: its answers, [[choice, key, text, is it a main one?], ...], and undo. */
export function Answers({ asking, label, answers, failed, saved, undo }) {
    const { question, busy, failure, choose } = asking;
    return html`
        ${failure && html`<p class="not-saved" role="alert">${failed} ${problemText(failure)} ${failure.detail}</p>`}
        <div class="question-bar" role="group" aria-label=${label}>
            ${answers.map(([choice, key, text, main]) => html`<button key=${choice} type="button" class=${`button ${main ? "choose" : ""}`}
                aria-disabled=${busy} onClick=${() => choose(choice)}><kbd aria-hidden="true">${key}</kbd>${text}</button>`)}
            <button type="button" class="button" disabled=${question.n <= 1} aria-disabled=${busy} onClick=${asking.undo}><kbd aria-hidden="true">U</kbd>${undo}</button>
            <p class="bar-note">${saved}</p>
        </div>`;
}

/** All are answered. */
export function Done({ asking, title, text, undo, children }) {
    return html`<section class="panel done"><h2 ref=${asking.heading} tabindex="-1">${title}</h2>
        <p>${text}</p>
        <p class="done-actions">${children}
            <button type="button" class="button" aria-disabled=${asking.busy} onClick=${asking.undo}><kbd aria-hidden="true">U</kbd>${undo}</button></p>
    </section>`;
}

/** The value of a bond's feature in words. */
export function valueText(value, kind) {
    if (value === null || value === undefined) {
        return t("value.unknown");
    }
    if (kind === "flag" && ["yes", "no"].includes(String(value))) {
        return t(`value.${value}`);
    }
    return typeof value === "number" ? number(value, Number.isInteger(value) ? 0 : 2) : String(value);
}
