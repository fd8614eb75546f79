import { html } from "../html.js";
import { t } from "../language.js";

export function QualityPage() {
    return html`<div class="page"><h1>${t("page.quality")}</h1></div>`;
}
