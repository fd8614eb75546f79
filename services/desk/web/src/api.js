// The desk's API: one place for tokens, keys, tags, time limits and problems.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { language } from "./language.js";

const BASE = "/api/v1";
const TIMEOUT_MS = 15000;
const KEPT = 64; // answers whose tag is remembered
const RANKS = { read: 0, desk: 1, operator: 2 };

/** An answer that is none: status 0 when the desk could not be reached, or `late` when it took too long. */
export class Problem extends Error {
    constructor(status, title, detail, late = false, retryAfter = 0) {
        super(detail || title);
        Object.assign(this, { status, title, detail, late, retryAfter });
    }
}

const answered = new WeakMap(); // data -> when it came
const kept = new Map(); // url -> {tag, data}, least recently used first
let who = { user: "", role: "read", token: "" };

/** May this user do what needs the role? Before /me has answered: no. */
export function may(role) {
    return RANKS[who.role] >= RANKS[role];
}

export function me() {
    return who;
}

export async function loadMe() {
    who = await get("/me");
    return who;
}

export function url(path, params = {}) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(params)) {
        if (value !== undefined && value !== null && value !== "") {
            query.set(name, value);
        }
    }
    const text = query.toString();
    return `${BASE}${path}${text ? `?${text}` : ""}`;
}

/** A path of names that may hold anything: path("bonds", id, "notes"). */
export function path(...parts) {
    return `/${parts.map(encodeURIComponent).join("/")}`;
}

async function send(address, options, signal) {
    const limit = new AbortController();
    const stop = () => limit.abort();
    const timer = setTimeout(stop, TIMEOUT_MS);
    signal?.addEventListener("abort", stop);
    try {
        const answer = await fetch(address, { ...options, signal: limit.signal, cache: "no-store", credentials: "same-origin" });
        return { answer, text: answer.status === 304 ? "" : await answer.text() };
    } catch (error) {
        if (signal?.aborted) {
            throw error;
        }
        throw new Problem(0, "", "", limit.signal.aborted);
    } finally {
        clearTimeout(timer);
        signal?.removeEventListener("abort", stop);
    }
}

function parse(answer, text) {
    let data = null;
    try {
        data = text === "" ? null : JSON.parse(text);
    } catch {
        throw new Problem(answer.status, answer.ok ? "" : answer.statusText, "");
    }
    if (!answer.ok) {
        throw new Problem(answer.status, data?.title ?? answer.statusText, data?.detail ?? "", false,
            Number(answer.headers.get("Retry-After")) || 0);
    }
    return data;
}

/** The answer to a GET; the very same object as before while it has not changed. */
export async function get(name, params, signal) {
    const address = url(name, params);
    const known = kept.get(address);
    const headers = { Accept: "application/json" };
    if (known) {
        headers["If-None-Match"] = known.tag;
    }
    const { answer, text } = await send(address, { headers }, signal);
    if (answer.status === 304 && known) {
        return known.data;
    }
    const came = performance.now();
    const data = parse(answer, text);
    if (data !== null && typeof data === "object") {
        answered.set(data, came);
    }
    kept.delete(address);
    if (answer.headers.get("ETag")) {
        kept.set(address, { tag: answer.headers.get("ETag"), data });
        if (kept.size > KEPT) {
            kept.delete(kept.keys().next().value);
        }
    }
    return data;
}

/** When the answer `data` had come, by performance.now(); undefined for what is none. */
export function answeredAt(data) {
    return data ? answered.get(data) : undefined;
}

function newKey() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A POST. One that changes something carries a key, so that it is sent once more when no answer came: the desk does it once. */
export async function post(name, body, { changes = true, params, signal } = {}) {
    const headers = { "Content-Type": "application/json", "X-Bookrunner-Token": who.token };
    if (changes) {
        headers["Idempotency-Key"] = newKey();
    }
    const options = { method: "POST", headers, body: JSON.stringify(body) };
    let last;
    for (let attempt = 0; attempt < 2; attempt++) {
        try {
            const { answer, text } = await send(url(name, params), options, signal);
            if (answer.status === 403 && attempt === 0) {
                await loadMe(); // a desk that was started anew has another token
                headers["X-Bookrunner-Token"] = who.token;
                last = { answer, text };
                continue;
            }
            return parse(answer, text);
        } catch (error) {
            if (!(error instanceof Problem) || error.status !== 0 || attempt > 0 || !changes) {
                throw error;
            }
        }
    }
    return parse(last.answer, last.text);
}

/**
 * What a path answers, kept up to date: {data, problem, loading, reload}. path null: nothing is asked. every(data): milliseconds until it is asked
 * again, 0 for never; a page nobody sees asks nothing. `data` stays while the same path is asked again, also when that fails.
 */
export function useGet(name, params, every) {
    const text = language();
    const wanted = name === null ? null : url(name, { lang: text, ...params });
    const [state, setState] = useState({ wanted: null, data: null, problem: null });
    const [turn, setTurn] = useState(0);
    const period = useRef(every);
    period.current = every;
    useEffect(() => {
        if (wanted === null) {
            return undefined;
        }
        const stopped = new AbortController();
        let timer = 0;
        let last = null;
        const ask = async () => {
            if (timer !== 0 && (document.hidden || !(period.current?.(last) > 0))) {
                return;
            }
            let data = null;
            let problem = null;
            try {
                data = await get(name, { lang: text, ...params }, stopped.signal);
            } catch (error) {
                if (stopped.signal.aborted) {
                    return;
                }
                problem = error instanceof Problem ? error : new Problem(-1, "", String(error));
            }
            setState((before) => {
                const shown = problem && before.wanted === wanted ? before.data : data;
                return before.wanted === wanted && before.data === shown && before.problem === problem ? before
                    : { wanted, data: shown, problem };
            });
            last = data;
            const wait = period.current?.(data) ?? 0;
            if (wait > 0 && !stopped.signal.aborted) {
                timer = setTimeout(ask, wait);
            }
        };
        const seen = () => {
            if (!document.hidden && timer !== 0) {
                clearTimeout(timer);
                ask();
            }
        };
        document.addEventListener("visibilitychange", seen);
        ask();
        return () => {
            stopped.abort();
            clearTimeout(timer);
            document.removeEventListener("visibilitychange", seen);
        };
    }, [wanted, turn]);
    const current = state.wanted === wanted;
    return {
        data: current ? state.data : null,
        problem: current ? state.problem : null,
        loading: wanted !== null && !current,
        reload: useCallback(() => setTurn((n) => n + 1), []),
    };
}
