// The page asks again every five seconds, unless whoever reads it wants it to hold still.
import { useEffect, useState } from "preact/hooks";
import { useGet } from "../../api.js";

const REFRESH_MS = 5000;
const listeners = new Set();
let paused = false;

function setPaused(value) {
    paused = value;
    listeners.forEach((listener) => listener(value));
}

/** Does the page hold still, and what changes that. */
export function usePause() {
    const [value, setValue] = useState(paused);
    useEffect(() => {
        listeners.add(setValue);
        return () => {
            listeners.delete(setValue);
            paused = false; // a page that is opened again is live
        };
    }, []);
    return [value, () => setPaused(!paused)];
}

/** useGet, asked again and again; at once when the page is live again. */
export function useLive(name, params = {}) {
    const answer = useGet(name, params, () => (paused ? 0 : REFRESH_MS));
    useEffect(() => {
        const resumed = (held) => held || answer.reload();
        listeners.add(resumed);
        return () => listeners.delete(resumed);
    }, [answer.reload]);
    return answer;
}
