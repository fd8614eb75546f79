// Where the browser is: #/bonds/ID?lang=zh. A page changes with the path; the query keeps the language and a page's own choices.
import { useEffect, useState } from "preact/hooks";

/** {parts: ["bonds", "B1"], query: URLSearchParams} of the address; parts that cannot be decoded stay as they are. */
export function readRoute(hash = location.hash) {
    const [path, query = ""] = hash.replace(/^#/, "").split("?", 2);
    const parts = path.split("/").filter((part) => part !== "");
    return { parts: parts.map(decode), query: new URLSearchParams(query) };
}

function decode(part) {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

/** The address of a page in the language of this one: href(["bonds", id]). */
export function href(parts, query = {}) {
    const kept = new URLSearchParams();
    const language = readRoute().query.get("lang");
    if (language) {
        kept.set("lang", language);
    }
    for (const [name, value] of Object.entries(query)) {
        if (value !== "" && value !== null && value !== undefined) {
            kept.set(name, value);
        }
    }
    const text = kept.toString();
    return `#/${parts.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

export function navigate(parts, query) {
    location.hash = href(parts, query);
}

/** Change one word of the query without a new entry in the history. */
export function replaceQuery(name, value) {
    const { parts, query } = readRoute();
    if (value) {
        query.set(name, value);
    } else {
        query.delete(name);
    }
    const text = query.toString();
    history.replaceState(null, "", `#/${parts.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`);
}

export function useRoute() {
    const [route, setRoute] = useState(readRoute);
    useEffect(() => {
        const changed = () => setRoute(readRoute());
        addEventListener("hashchange", changed);
        return () => removeEventListener("hashchange", changed);
    }, []);
    return route;
}
