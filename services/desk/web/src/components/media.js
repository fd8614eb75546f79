import { useEffect, useMemo, useState } from "preact/hooks";

/** Does the media query hold? The component is drawn again when that changes. */
export function useMedia(query) {
    const list = useMemo(() => matchMedia(query), [query]);
    const [holds, setHolds] = useState(list.matches);
    useEffect(() => {
        const changed = () => setHolds(list.matches);
        changed();
        list.addEventListener("change", changed);
        return () => list.removeEventListener("change", changed);
    }, [list]);
    return holds;
}
