// Do as many bid as was said? The reliability diagram of the served snapshot.
import { useMemo } from "preact/hooks";
import { useGet } from "../../api.js";
import { Chart } from "../../components/chart.js";
import { Panel } from "../../components/panel.js";
import { Empty } from "../../components/states.js";
import { html } from "../../html.js";
import { language, number, percent, t } from "../../language.js";

const Z = 1.959964;

/** Wilson's interval of a rate among n, 95 %. */
function wilson(rate, n) {
    const d = 1 + Z * Z / n;
    const centre = (rate + Z * Z / (2 * n)) / d;
    const half = Z * Math.sqrt(rate * (1 - rate) / n + Z * Z / (4 * n * n)) / d;
    return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

const short = (value) => percent(value, value < 0.1 && value > 0 ? 1 : 0);

function Diagram({ bins }) {
    const series = useMemo(() => {
        const intervals = bins.map(({ rate, n }) => wilson(rate, n));
        return [
            { label: t("calibration.rate"), look: "first", values: bins.map(({ rate }) => rate), low: intervals.map(([low]) => low), high: intervals.map(([, high]) => high) },
            { label: t("calibration.ideal"), look: "guide", values: bins.map((bin) => bin.mean_probability) },
        ];
    }, [bins, language()]);
    const n = bins.reduce((sum, bin) => sum + bin.n, 0);
    const off = bins.reduce((sum, bin) => sum + bin.n * Math.abs(bin.rate - bin.mean_probability), 0) / n;
    const top = bins.at(-1);
    const max = Math.max(...bins.map((bin) => bin.mean_probability));
    return html`<${Chart} title=${t("calibration.chart")} series=${series}
        summary=${`${t("calibration.summary", { off: percent(off, 2), n: number(n) })} ${t("calibration.top", { said: percent(top.mean_probability), came: percent(top.rate) })}`}
        x=${{ label: t("calibration.said"), values: bins.map((bin) => bin.mean_probability), min: 0, max: max * 1.03, format: short, long: (value) => t("calibration.at", { p: percent(value) }) }}
        y=${{ label: t("calibration.unit"), min: 0, format: (value) => percent(value), tick: short }} />`;
}

export function Calibration() {
    const answer = useGet("/metrics/calibration");
    return html`<${Panel} title=${t("calibration.title")} about=${t("calibration.about")} answer=${answer}
        content=${({ bins }) => {
            const known = bins.filter((bin) => bin.n > 0 && typeof bin.rate === "number" && typeof bin.mean_probability === "number").sort((a, b) => a.mean_probability - b.mean_probability);
            return known.length === 0 ? html`<${Empty} title=${t("calibration.empty")}><p>${t("calibration.empty.hint")}</p><//>` : html`<${Diagram} bins=${known} />`;
        }} />`;
}
