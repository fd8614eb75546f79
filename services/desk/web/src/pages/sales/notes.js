// What the desk has noted of a bond: calls, and verdicts on reasons. A change shows at once and goes back when the desk does not take it.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, path, post } from "../../api.js";
import { notify } from "../../components/announce.js";
import { problemText } from "../../components/states.js";
import { t } from "../../language.js";

const REFRESH_MS = 15000; // colleagues mark, too
export const CALLS = ["called", "interested", "declined"];

const keyOf = (topic, investor, subject) => JSON.stringify([topic, investor, subject]);

/** {call(investor) -> {value, user, time} or null, verdict(investor, field) -> value or "", put(note)}, all of the bond; null: of none. */
export function useNotes(bond) {
    const [held, setHeld] = useState({ bond: null, notes: [] }); // as the desk last said
    const [ahead, setAhead] = useState(new Map()); // key -> value: what it has not said yet
    const sent = useRef(new Map()); // key -> promise: one after the other, so that the last click wins
    const bondNow = useRef(bond);
    bondNow.current = bond;

    const load = useCallback(async () => {
        if (bond === null) {
            return;
        }
        const quiet = sent.current.size === 0;
        try {
            const { notes } = await get(path("bonds", bond, "notes"));
            if (bondNow.current === bond) {
                setHeld((before) => (before.bond === bond && before.notes === notes ? before : { bond, notes }));
                if (quiet && sent.current.size === 0) {
                    setAhead((before) => (before.size === 0 ? before : new Map()));
                }
            }
        } catch {
            // marks are not the list: what is known stays, and the next round asks again
        }
    }, [bond]);
    useEffect(() => {
        setAhead(new Map());
        load();
        const timer = setInterval(() => document.hidden || load(), REFRESH_MS);
        return () => clearInterval(timer);
    }, [load]);

    const now = useMemo(() => {
        const all = new Map();
        for (const note of held.bond === bond ? held.notes : []) {
            all.set(keyOf(note.topic, note.investor, note.subject ?? ""), note);
        }
        for (const [key, value] of ahead) {
            all.set(key, { value, user: "", time: "" });
        }
        return all;
    }, [held, ahead, bond]);

    const put = useCallback((topic, investor, subject, value, more = {}) => {
        const key = keyOf(topic, investor, subject);
        setAhead((before) => new Map(before).set(key, value));
        const former = sent.current.get(key) ?? Promise.resolve();
        const own = former.then(async () => {
            try {
                await post("/notes", { topic, bond, investor, subject, value, ...more });
                return true;
            } catch (problem) {
                if (sent.current.get(key) === own && bondNow.current === bond) {
                    setAhead((before) => {
                        const next = new Map(before);
                        next.delete(key);
                        return next;
                    });
                }
                notify(t("note.failed", { investor: short(investor), why: problemText(problem) }), { kind: "problem" });
                return false;
            } finally {
                if (sent.current.get(key) === own) {
                    sent.current.delete(key);
                    load();
                }
            }
        });
        sent.current.set(key, own);
        return own;
    }, [bond, load]);

    return useMemo(() => ({
        call: (investor) => {
            const note = now.get(keyOf("call", investor, ""));
            return note?.value ? note : null;
        },
        verdict: (investor, field) => now.get(keyOf("reason", investor, field))?.value ?? "",
        put,
    }), [now, put]);
}

/** A name that fits into a message. */
export function short(name) {
    return name.length > 40 ? `${name.slice(0, 39)}…` : name;
}
