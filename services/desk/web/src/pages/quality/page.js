// How good the lists and the reasons were.
import "./quality.css";
import { html } from "../../html.js";
import { t, useLanguage } from "../../language.js";
import { Calibration } from "./calibration.js";
import { Drift } from "./drift.js";
import { Gates } from "./gates.js";
import { Hits } from "./hits.js";
import { Snapshots } from "./snapshots.js";

export function QualityPage() {
    useLanguage();
    return html`<div class="page quality">
        <header class="page-head"><div><h1>${t("page.quality")}</h1><p class="page-about">${t("quality.about")}</p></div></header>
        <div class="panels">
            <${Hits} />
            <${Snapshots} />
            <div class="half"><${Calibration} /></div>
            <div class="half"><${Drift} /></div>
            <${Gates} />
        </div>
    </div>`;
}
