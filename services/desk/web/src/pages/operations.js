import { html } from "../html.js";
import { t } from "../language.js";

export function OperationsPage() {
    return html`<div class="page"><h1>${t("page.operations")}</h1></div>`;
}
