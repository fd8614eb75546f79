// Which of two sets of reasons would rather persuade? Questions and the result are two views: while one answers, nothing on the page names a
// method.
import "./study.css";
import { useGet } from "../../api.js";
import { Panel } from "../../components/panel.js";
import { html } from "../../html.js";
import { t, useLanguage } from "../../language.js";
import { href } from "../../route.js";
import { Questions } from "./questions.js";
import { Result } from "./result.js";

const REFRESH_MS = 5000;

function Results() {
    const result = useGet("/study", {}, () => REFRESH_MS);
    const example = useGet("/study/example");
    return html`<div class="panels">
        <div class="half"><${Panel} title=${t("study.result")} about=${t("study.result.about")} answer=${result}
            content=${(data) => html`<${Result} data=${data} />`} /></div>
        <div class="half"><${Panel} title=${t("study.example")} about=${t("study.example.about")} answer=${example}
            content=${(data) => html`<${Result} data=${data} example />`} /></div>
    </div>`;
}

export function StudyPage({ parts }) {
    useLanguage();
    const result = parts[0] === "result";
    const link = (to, here, text) => html`<a class="view-link" href=${href(to)} aria-current=${here ? "page" : undefined}>${text}</a>`;
    return html`<div class="page study">
        <header class="page-head">
            <div><h1>${t("page.study")}</h1><p class="page-about">${t(result ? "study.about.result" : "study.about")}</p></div>
            <nav class="views" aria-label=${t("page.study")}>
                ${link(["study"], !result, t("study.questions"))}${link(["study", "result"], result, t("study.result"))}
            </nav>
        </header>
        ${result ? html`<${Results} />` : html`<${Questions} />`}
    </div>`;
}
