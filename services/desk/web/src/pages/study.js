import { html } from "../html.js";
import { t } from "../language.js";

export function StudyPage() {
    return html`<div class="page"><h1>${t("page.study")}</h1></div>`;
}
