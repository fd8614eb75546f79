// A table that can be scrolled sideways where it does not fit, by keyboard as well.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";

/**
 * columns: [{key, label, number, head, cell(row)}]; number: figures, set right; head: the cell names its row. rows carry anything; keyOf(row, i) tells
 * them apart. caption: what it shows, for those who cannot see what stands above it.
 */
export function Table({ caption, columns, rows, keyOf = (_, i) => i, classOf }) {
    const box = useRef();
    const [wide, setWide] = useState(false);
    useLayoutEffect(() => {
        const measure = () => setWide(box.current.scrollWidth > box.current.clientWidth + 1 || box.current.scrollHeight > box.current.clientHeight + 1);
        const watch = new ResizeObserver(measure);
        watch.observe(box.current);
        watch.observe(box.current.firstElementChild);
        return () => watch.disconnect();
    }, []);
    const scroll = wide ? { tabindex: 0, role: "group", "aria-label": caption } : {};
    const cell = (column, row) => (column.head ? html`<th key=${column.key} scope="row" class=${column.number ? "number" : ""}>${column.cell(row)}</th>`
        : html`<td key=${column.key} class=${column.number ? "number" : ""}>${column.cell(row)}</td>`);
    return html`<div class="table" ref=${box} ...${scroll}><table>
        <caption class="hidden">${caption}</caption>
        <thead><tr>${columns.map((column) => html`<th key=${column.key} scope="col" class=${column.number ? "number" : ""}>${column.label}</th>`)}</tr></thead>
        <tbody>${rows.map((row, i) => html`<tr key=${keyOf(row, i)} class=${classOf?.(row)}>${columns.map((column) => cell(column, row))}</tr>`)}</tbody>
    </table></div>`;
}
