// A part of a page that stands for itself: its own heading, its own waiting and failing, so that one that fails leaves the others alone.
import { Component } from "preact";
import { useId } from "preact/hooks";
import "../panels.css";
import { Problem } from "../api.js";
import { html } from "../html.js";
import { t } from "../language.js";
import { Icon } from "./icons.js";
import { Failure, problemText, Waiting } from "./states.js";

class Guard extends Component {
    constructor() {
        super();
        this.state = { failed: null };
    }

    static getDerivedStateFromError(error) {
        return { failed: error };
    }

    render({ children }, { failed }) {
        return failed ? html`<${Failure} problem=${new Problem(-1, "", String(failed))} onRetry=${() => this.setState({ failed: null })} />` : children;
    }
}

function Inside({ content, data }) {
    return content(data);
}

/** answer: what useGet gave; content(data) is drawn once there is data, and stays with a word of warning when the desk no longer answers. */
export function Panel({ title, about, actions, answer, rows = 4, content, children }) {
    const id = useId();
    const { data, problem, loading, reload } = answer ?? {};
    return html`<section class="panel" aria-labelledby=${id}>
        <header class="panel-top">
            <div><h2 id=${id}>${title}</h2>${about && html`<p class="panel-about">${about}</p>`}</div>
            ${actions && html`<div class="panel-actions">${actions}</div>`}
        </header>
        ${problem && data && html`<p class="panel-old"><${Icon} name="warning" />${t("panel.old")} ${problemText(problem)}</p>`}
        ${problem && !data && html`<${Failure} problem=${problem} onRetry=${reload} />`}
        ${loading && html`<${Waiting} rows=${rows} />`}
        <${Guard}>${data && content && html`<${Inside} content=${content} data=${data} />`}${children}<//>
    </section>`;
}

/** Words with their meaning, one click away: terms is [[word, meaning], ...]. */
export function Glossary({ terms }) {
    return html`<details class="glossary"><summary>${t("glossary")}</summary>
        <dl>${terms.map(([word, meaning]) => html`<div key=${word}><dt>${word}</dt><dd>${meaning}</dd></div>`)}</dl></details>`;
}

/** One choice of a few: options is [[value, text], ...]. */
export function Choices({ label, options, value, onChange }) {
    return html`<div class="choices" role="group" aria-label=${label}>${options.map(([option, text]) => html`
        <button key=${option} type="button" aria-pressed=${option === value} onClick=${() => onChange(option)}>${text}</button>`)}</div>`;
}

/** A state as sign and word: kind "good", "care", "bad" or "none". */
export function State({ kind, children }) {
    const sign = { good: "yes", care: "warning", bad: "no", none: "info" }[kind];
    return html`<span class="state ${kind}"><${Icon} name=${sign} />${children}</span>`;
}
