// The keys of the page, listed under "?".
import { html } from "../html.js";
import { t } from "../language.js";
import { Dialog } from "./dialog.js";

/** Keys with the help text of each; a page's own handlers do what they say. */
const KEYS = [
    ["help.bonds", [["/", "search"], ["↑ ↓", "choose"], ["Enter", "open"], ["J K", "next_bond"]]],
    ["help.list", [["↑ ↓", "row"], ["← →", "tag"], ["Home End", "ends"], ["C I D", "mark"], ["U", "unmark"], ["1 2 3", "verdict"], ["W", "why_not"],
        ["F", "what_if"], ["Esc", "escape"]]],
    ["help.study", [["1 2", "sides"], ["T", "tie"], ["S", "skip"], ["U", "undo"]]],
    ["help.pairs", [["1 2", "yes_no"], ["S", "skip"], ["U", "undo"]]],
    ["help.all", [["?", "help"]]],
];

/** Is this key press meant for the page, and not for a field or a dialog? */
export function isShortcut(event) {
    const element = event.target;
    return !event.defaultPrevented && !event.ctrlKey && !event.metaKey && !event.altKey && !document.querySelector("dialog[open]") &&
        !(element instanceof Element && element.closest("input, select, textarea, [contenteditable]"));
}

export function Help({ onClose }) {
    return html`<${Dialog} title=${t("help.title")} onClose=${onClose}>
        <div class="help">${KEYS.map(([title, keys]) => html`<section key=${title}>
            <h3>${t(title)}</h3>
            <dl>${keys.map(([key, what]) => html`<div key=${what}>
                <dt>${key.split(" ").map((one) => html`<kbd key=${one}>${one}</kbd>`)}</dt><dd>${t(`help.key.${what}`)}</dd>
            </div>`)}</dl>
        </section>`)}</div>
    <//>`;
}
