// Drawn signs. Each is decoration: the words beside it, or hidden ones, say the same.
import { html } from "../html.js";

const PATHS = {
    preference: "M8 13.5 2.6 8.2a3.2 3.2 0 0 1 4.6-4.5l.8.8.8-.8a3.2 3.2 0 0 1 4.6 4.5z",
    attribute: "M8 1.6 14.4 8 8 14.4 1.6 8z",
    ability: "M8 2.2 14.6 13.6H1.4z",
    past: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8zM7.2 4.6h1.6v3.2l2.4 1.5-.8 1.3-3.2-2z",
};

/** The sign of a category: heart, lozenge, triangle; of past bids a clock. */
export function CategoryIcon({ category }) {
    return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${PATHS[category] ?? PATHS.attribute} /></svg>`;
}

export function Mark() {
    return html`<svg class="mark" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d="M3 13V9.5M8 13V6M13 13V2.5" /></svg>`;
}

const SIGNS = {
    search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.4 10.4 14 14",
    call: "M3 2.5h2.8l1.2 3-1.6 1.2a8 8 0 0 0 3.9 3.9l1.2-1.6 3 1.2V13a1 1 0 0 1-1.1 1A11.6 11.6 0 0 1 2 3.6a1 1 0 0 1 1-1.1z",
    yes: "M2.8 8.4 6.2 12l7-8",
    no: "M3.5 3.5l9 9M12.5 3.5l-9 9",
    warning: "M8 2 15 14H1zM8 6.5v3.4M8 11.6v.6",
    info: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8zM8 7.2v4M8 4.8v.6",
    download: "M8 2v8M4.8 7 8 10.2 11.2 7M2.5 13.5h11",
    question: "M5.6 6a2.4 2.4 0 1 1 3.5 2.1c-.8.4-1.1.9-1.1 1.7M8 12v.6",
    sliders: "M2 4.5h6M12 4.5h2M2 11.5h2M8 11.5h6M10 2.7v3.6M6 9.7v3.6",
    up: "M8 13V3.5M4 7.2 8 3.2l4 4",
    down: "M8 3v9.5M4 8.8l4 4 4-4",
};

export function Icon({ name }) {
    return html`<svg class="sign" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${SIGNS[name]} /></svg>`;
}
