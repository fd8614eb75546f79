import { html } from "../../html.js";
import { t } from "../../language.js";

export function SalesPage() {
    return html`<div class="page"><h1>${t("page.bonds")}</h1></div>`;
}
