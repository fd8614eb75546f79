// The page's own words, in two languages. Texts of reasons come from the API in the same language.
import { useEffect, useState } from "preact/hooks";
import en from "./words/en.json";
import zh from "./words/zh.json";
import { readRoute, replaceQuery } from "./route.js";

const KEY = "bookrunner.language";
const words = { en, zh };
const listeners = new Set();
let current = first();

/** The address says it, or what was chosen last, or the browser's own language. */
function first() {
    const candidates = [readRoute().query.get("lang"), remembered(), navigator.language?.slice(0, 2)];
    return candidates.find((candidate) => candidate in words) ?? "en";
}

function remembered() {
    try {
        return localStorage.getItem(KEY);
    } catch {
        return null; // storage may be forbidden; the address still keeps the language
    }
}

function use(language) {
    current = language;
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
    for (const listener of listeners) {
        listener(language);
    }
}

export function setLanguage(language) {
    try {
        localStorage.setItem(KEY, language);
    } catch {
        // as above
    }
    replaceQuery("lang", language);
    use(language);
}

/** "en" or "zh". */
export function language() {
    return current;
}

/** The same, and the component is drawn again when it changes. */
export function useLanguage() {
    const [value, setValue] = useState(current);
    useEffect(() => {
        listeners.add(setValue);
        return () => listeners.delete(setValue);
    }, []);
    return value;
}

/** The words of a key with {names} filled in. An entry of two forms, {"one", "other"}, is chosen by values.n. */
export function t(key, values = {}) {
    let text = words[current][key];
    if (text === undefined) {
        return key;
    }
    if (typeof text === "object") {
        text = text[new Intl.PluralRules(current).select(values.n)] ?? text.other;
    }
    return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** Is there such a word? For keys that come from data. */
export function has(key) {
    return Object.hasOwn(words[current], key);
}

const formats = new Map();
function format(kind, options) {
    const key = `${current} ${kind.name} ${JSON.stringify(options)}`;
    if (!formats.has(key)) {
        formats.set(key, new kind(current === "zh" ? "zh-CN" : "en-GB", options));
    }
    return formats.get(key);
}

export function number(value, digits = 0) {
    return typeof value !== "number" ? "–"
        : format(Intl.NumberFormat, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** A share as a percentage: .347 is 34.7 %. */
export function percent(value, digits = 1) {
    return typeof value !== "number" ? "–" : `${number(value * 100, digits)}${current === "zh" ? "%" : " %"}`;
}

/** A day "2024-11-29" in words: 29 Nov 2024. Short: without the year. */
export function day(text, short = false) {
    const date = new Date(`${text}T00:00:00Z`);
    if (!text || Number.isNaN(date.getTime())) {
        return text ?? "–";
    }
    return format(Intl.DateTimeFormat, {
        day: "numeric", month: "short", year: short ? undefined : "numeric", timeZone: "UTC",
    }).format(date);
}

/** A month "2024-11" in words: Nov 2024. */
export function month(text) {
    const date = new Date(`${text}-01T00:00:00Z`);
    return !text || Number.isNaN(date.getTime()) ? text ?? "–"
        : format(Intl.DateTimeFormat, { month: "short", year: "numeric", timeZone: "UTC" }).format(date);
}

/** Bytes as megabytes, or gigabytes from one on. */
export function bytes(value) {
    return typeof value !== "number" ? "–" : value >= 1e9 ? `${number(value / 1e9, 1)} GB` : `${number(value / 1e6, value < 1e7 ? 1 : 0)} MB`;
}

/** Seconds as people say them: 0.2 s, 45 s, 12 min, 3 h 5 min, 2 d 4 h. */
export function duration(seconds) {
    if (typeof seconds !== "number") {
        return "–";
    }
    const whole = (value, unit) => t(`unit.${unit}`, { n: number(value) });
    const minutes = Math.floor(seconds / 60);
    const hours = Math.floor(minutes / 60);
    if (seconds < 60) {
        return t("unit.s", { n: number(seconds, seconds < 10 ? 1 : 0) });
    }
    return minutes < 60 ? whole(minutes, "min") : hours < 24 ? `${whole(hours, "h")} ${whole(minutes % 60, "min")}`
        : `${whole(Math.floor(hours / 24), "d")} ${whole(hours % 24, "h")}`;
}

/** A moment in the reader's own time zone. */
export function moment(text) {
    const date = new Date(text);
    return Number.isNaN(date.getTime()) ? "–"
        : format(Intl.DateTimeFormat, { dateStyle: "medium", timeStyle: "short" }).format(date);
}

addEventListener("hashchange", () => {
    const asked = readRoute().query.get("lang");
    if (asked in words && asked !== current) {
        use(asked);
    }
});
use(current);
