// How the search by gradient gives up a spurious reason: gates by step, free and with the other reason held shut.
import { useMemo, useState } from "preact/hooks";
import { path, useGet } from "../../api.js";
import { Chart } from "../../components/chart.js";
import { Panel } from "../../components/panel.js";
import { Empty, Failure, Waiting } from "../../components/states.js";
import { html } from "../../html.js";
import { language, number, t } from "../../language.js";

const SHUT = 0.02; // a gate that never opens further is the one that was held
const NAME = 60; // of an option

const cut = (text) => (text.length > NAME ? `${text.slice(0, NAME)}…` : text);

function Select({ label, value, options, onChange, disabled }) {
    return html`<label class="gates-choice"><span>${label}</span><select value=${value} disabled=${disabled} onChange=${(event) => onChange(event.currentTarget.value)}>
        ${options.map(([option, text]) => html`<option key=${option} value=${option}>${cut(text)}</option>`)}</select></label>`;
}

function GateChart({ title, curves, of, steps, summary }) {
    const series = useMemo(() => curves.map((curve, i) => ({ label: curve.tag, look: i === 0 ? "first" : "second", values: curve[of] })), [curves, language()]);
    return html`<${Chart} title=${title} summary=${summary} series=${series}
        x=${{ label: t("gates.step"), values: steps, steps: [1, 5, 10, 20, 25, 50, 100, 200, 500], format: (value) => number(value), long: (value) => t("gates.at", { step: number(value) }) }}
        y=${{ label: t("gates.unit"), min: 0, max: 1, format: (value) => number(value, 2), tick: (value) => number(value, 1) }} />`;
}

/** The curve that is given up first, and the one that is held shut second. */
function order({ curves, hold }) {
    const shut = curves.find((curve) => (hold ? curve.field === hold : Math.max(...curve.held) <= SHUT)) ?? curves[1];
    return [curves.find((curve) => curve !== shut), shut];
}

function Curves({ data }) {
    const ordered = useMemo(() => order(data), [data]);
    if (!ordered[0] || !ordered[1]) {
        return html`<${Empty} title=${t("gates.none")}><p>${t("gates.none.hint")}</p><//>`;
    }
    const [given, shut] = ordered;
    const end = (values) => number(values.at(-1), 2);
    const top = number(Math.max(...given.free), 2);
    return html`<div class="charts">
        <${GateChart} title=${t("gates.free")} of="free" curves=${ordered} steps=${data.steps} summary=${t("gates.free.summary", { given: cut(given.tag), shut: cut(shut.tag), top, end: end(given.free), other: end(shut.free) })} />
        <${GateChart} title=${t("gates.held")} of="held" curves=${ordered} steps=${data.steps} summary=${t("gates.held.summary", { given: cut(given.tag), shut: cut(shut.tag), end: end(given.held) })} />
    </div>`;
}

function Drawn({ bond, investor, hold }) {
    const { data, problem, loading, reload } = useGet(path("bonds", bond, "investors", investor, "gates"), { hold });
    if (loading) {
        return html`<${Waiting} rows=${4} />`;
    }
    if (problem?.status === 404) {
        return html`<${Empty} title=${t("gates.none")}><p>${problem.detail || t("gates.none.hint")}</p><//>`;
    }
    return problem ? html`<${Failure} problem=${problem} onRetry=${reload} />` : html`<${Curves} data=${data} />`;
}

function Chooser({ bonds }) {
    const [bond, setBond] = useState(bonds[0].id);
    const [investor, setInvestor] = useState("");
    const [hold, setHold] = useState("");
    const [asked, setAsked] = useState(null);
    const list = useGet(path("bonds", bond, "recommendations"));
    const investors = list.data?.investors ?? [];
    const chosen = investors.find(({ id }) => id === investor) ?? investors[0];
    const reasons = chosen?.reasons ?? [];
    const reset = (set) => (value) => {
        set(value);
        setHold("");
    };
    return html`<div class="gates-bar">
            <${Select} label=${t("gates.bond")} value=${bond} onChange=${reset((value) => {
                setBond(value);
                setInvestor("");
            })} options=${bonds.map(({ id }) => [id, id])} />
            <${Select} label=${t("gates.investor")} value=${chosen?.id ?? ""} disabled=${investors.length === 0} onChange=${reset(setInvestor)} options=${investors.map(({ id, rank }) => [id, `${rank}. ${id}`])} />
            <${Select} label=${t("gates.hold")} value=${hold} disabled=${reasons.length === 0} onChange=${setHold}
                options=${[["", t("gates.hold.any")], ...reasons.map(({ field, tag }) => [field, tag])]} />
            <button type="button" class="button" disabled=${!chosen} onClick=${() => setAsked({ bond, investor: chosen.id, hold })}>${t("gates.draw")}</button>
        </div>
        ${list.problem && html`<p class="bad">${list.problem.status === 404 ? t("gates.no_list") : list.problem.detail}</p>`}
        <div aria-live="polite">${asked ? html`<${Drawn} key=${JSON.stringify(asked)} ...${asked} />` : html`<p class="gates-hint">${t("gates.hint")}</p>`}</div>`;
}

export function Gates() {
    const answer = useGet("/bonds", { limit: 200 });
    return html`<${Panel} title=${t("gates.title")} about=${t("gates.about")} answer=${answer} rows=${2}
        content=${({ bonds }) => {
            const listed = bonds.filter(({ list }) => list);
            return listed.length === 0 ? html`<${Empty} title=${t("gates.empty")}><p>${t("gates.empty.hint")}</p><//>` : html`<${Chooser} bonds=${listed} />`;
        }} />`;
}
