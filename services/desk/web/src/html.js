// Markup without a compiler: html`<p class="x">${text}</p>`. Text is always text; nothing here parses HTML.
import { h } from "preact";
import htm from "htm";

export const html = htm.bind(h);

/** Class names of those that hold: classes("tag", {open: true}) is "tag open". */
export function classes(base, when) {
    return Object.entries(when).reduce((all, [name, on]) => (on ? `${all} ${name}` : all), base);
}
