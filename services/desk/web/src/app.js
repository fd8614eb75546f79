// The page: a frame of navigation around one of five pages.
import "./style.css";
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { loadMe, may, me, Problem } from "./api.js";
import { html } from "./html.js";
import { setLanguage, t, useLanguage } from "./language.js";
import { href, useRoute } from "./route.js";
import { Announcer } from "./components/announce.js";
import { Help, isShortcut } from "./components/help.js";
import { Mark } from "./components/icons.js";
import { Failure, Waiting } from "./components/states.js";
import { OperationsPage } from "./pages/operations/page.js";
import { PairsPage } from "./pages/pairs/page.js";
import { QualityPage } from "./pages/quality/page.js";
import { SalesPage } from "./pages/sales/page.js";
import { StudyPage } from "./pages/study/page.js";

const PAGES = [
    { name: "bonds", page: SalesPage, role: "read" },
    { name: "study", page: StudyPage, role: "desk" },
    { name: "pairs", page: PairsPage, role: "desk" },
    { name: "quality", page: QualityPage, role: "read" },
    { name: "operations", page: OperationsPage, role: "read" },
];

function Languages() {
    const language = useLanguage();
    return html`<div class="languages" role="group" aria-label=${t("language")}>
        ${[["en", "English", "EN"], ["zh", "中文", "中文"]].map(([code, name, short]) => html`
            <button type="button" key=${code} lang=${code === "zh" ? "zh-CN" : "en"} class="language" aria-pressed=${language === code}
                title=${name} onClick=${() => setLanguage(code)}>${short}</button>`)}
    </div>`;
}

function Header({ here, onHelp }) {
    return html`<header class="top">
        <a class="brand" href=${href(["bonds"])} aria-label="Bookrunner"><${Mark} /><span>Bookrunner</span></a>
        <nav aria-label=${t("pages")}>
            ${PAGES.filter(({ role }) => may(role)).map(({ name }) => html`
                <a key=${name} class="page-link" href=${href([name])} aria-current=${here === name ? "page" : undefined}>${t(`page.${name}`)}</a>`)}
        </nav>
        <div class="top-end">
            <span class="who" title=${t(`role.${me().role}`)}>${me().user}</span>
            <${Languages} />
            <button type="button" class="button quiet help-button" aria-label=${t("help.open")} title=${t("help.open")} onClick=${onHelp}>?</button>
        </div>
    </header>`;
}

/** Who it is must be known first: the token and the role come with it. */
function useWho() {
    const [state, setState] = useState({ known: false, problem: null });
    const ask = () => loadMe().then(
        () => setState({ known: true, problem: null }),
        (problem) => setState({ known: false, problem: problem instanceof Problem ? problem : new Problem(-1, "", String(problem)) }));
    useEffect(() => {
        ask();
    }, []);
    return { ...state, ask };
}

function App() {
    const language = useLanguage();
    const { parts } = useRoute();
    const who = useWho();
    const [help, setHelp] = useState(false);
    const here = parts[0] ?? "bonds";
    const found = PAGES.find(({ name }) => name === here);
    useEffect(() => {
        document.title = found ? `${t(`page.${here}`)} · Bookrunner` : "Bookrunner";
    }, [here, language]);
    useEffect(() => {
        const pressed = (event) => {
            if (isShortcut(event) && event.key === "?") {
                event.preventDefault();
                setHelp(true);
            }
        };
        addEventListener("keydown", pressed);
        return () => removeEventListener("keydown", pressed);
    }, []);
    const skip = (event) => {
        event.preventDefault();
        document.getElementById("main").focus();
    };
    let content;
    if (who.problem) {
        content = html`<${Failure} problem=${who.problem} heading onRetry=${who.ask} />`;
    } else if (!who.known) {
        content = html`<${Waiting} />`;
    } else if (!found || !may(found.role)) {
        content = html`<${Failure} problem=${new Problem(found ? 403 : 404, "", "")} heading />`;
    } else {
        content = html`<${found.page} parts=${parts.slice(1)} />`;
    }
    return html`
        <a class="skip" href="#main" onClick=${skip}>${t("skip")}</a>
        <${Header} here=${here} onHelp=${() => setHelp(true)} />
        <main id="main" tabindex="-1">${content}</main>
        <${Announcer} />
        ${help && html`<${Help} onClose=${() => setHelp(false)} />`}`;
}

render(html`<${App} />`, document.getElementById("app"));
