// What a screen reader is told of changes, and a short message with a way back for everybody.
import { useEffect, useState } from "preact/hooks";
import { html } from "../html.js";
import { t } from "../language.js";

const SHOWN_MS = 8000;
const listeners = new Set();

/** Say `text` without showing it. */
export function announce(text) {
    listeners.forEach((listener) => listener({ text }));
}

/** Show and say `text` for a while; with `undo` a button that takes back what was done. kind "problem" stays until it is closed. */
export function notify(text, { undo, kind = "done" } = {}) {
    listeners.forEach((listener) => listener({ text, undo, kind, shown: true }));
}

export function Announcer() {
    const [said, setSaid] = useState("");
    const [message, setMessage] = useState(null);
    const [held, setHeld] = useState(false);
    useEffect(() => {
        const listen = (next) => {
            // the same words twice are said twice only when the text differs
            setSaid((before) => (before === next.text ? `${next.text}\u00a0` : next.text));
            if (next.shown) {
                setMessage(next);
            }
        };
        listeners.add(listen);
        return () => listeners.delete(listen);
    }, []);
    useEffect(() => {
        if (!message || held || message.kind === "problem") {
            return undefined;
        }
        const timer = setTimeout(() => setMessage(null), SHOWN_MS);
        return () => clearTimeout(timer);
    }, [message, held]);
    const undo = () => {
        message.undo();
        setMessage(null);
    };
    return html`
        <div class="hidden" role="status" aria-live="polite">${said}</div>
        ${message && html`<div class="note ${message.kind}" onMouseEnter=${() => setHeld(true)} onMouseLeave=${() => setHeld(false)}>
            <span class="note-text">${message.text}</span>
            ${message.undo && html`<button type="button" class="button on-dark" onClick=${undo}>${t("undo")}</button>`}
            <button type="button" class="button on-dark" aria-label=${t("close")} onClick=${() => setMessage(null)}>×</button>
        </div>`}`;
}
