// Does what an investor bid on explain what is recommended? People say, pair by pair; below stands how far they agree.
import "../study/study.css";
import "./pairs.css";
import { html } from "../../html.js";
import { t, useLanguage } from "../../language.js";
import { Questions } from "./questions.js";
import { Votes } from "./votes.js";

export function PairsPage() {
    useLanguage();
    return html`<div class="page study">
        <header class="page-head"><div><h1>${t("page.pairs")}</h1><p class="page-about">${t("pairs.about")}</p></div></header>
        <${Questions} />
        <${Votes} />
    </div>`;
}
