// A modal dialog: the browser's own, so that focus stays inside, Escape closes it, and focus goes back to where it came from.
import { useEffect, useId, useRef } from "preact/hooks";
import { html } from "../html.js";
import { t } from "../language.js";

export function Dialog({ title, subtitle, wide, onClose, children }) {
    const dialog = useRef();
    const id = useId();
    useEffect(() => {
        const element = dialog.current;
        element.showModal();
        return () => element.close(); // while it is still there: this is what gives the focus back
    }, []);
    const outside = (event) => {
        if (event.target === dialog.current) {
            onClose();
        }
    };
    const cancelled = (event) => {
        event.preventDefault();
        onClose();
    };
    return html`<dialog ref=${dialog} class=${wide ? "dialog wide" : "dialog"} aria-labelledby=${id} onMouseDown=${outside} onCancel=${cancelled}>
        <div class="dialog-in">
            <header class="dialog-top">
                <div><h2 id=${id}>${title}</h2>${subtitle && html`<p class="subtitle">${subtitle}</p>`}</div>
                <button type="button" class="button quiet" aria-label=${t("close")} onClick=${onClose}>×</button>
            </header>
            ${children}
        </div>
    </dialog>`;
}
