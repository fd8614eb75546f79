// The quality page: charts that say what they show, figures in words, and what is said where there are none.
import assert from "node:assert/strict";
import { assertAccessible, go, HOSTILE, picture, run, standIn, test, until } from "./page.mjs";

const SERVED = "d474241663f8fd268faf3f344fba638d";
const rowsOf = (field, keys, from) => keys.map((key, i) => ({ [field]: key, recall_at_50: from + i / 100, recall_low: from - 0.05 + i / 100, recall_high: from + 0.05 + i / 100, precision_at_50: 0.2 + i / 100,
    precision_low: 0.17, precision_high: 0.24, recall_at_50_activity: 0.31, precision_at_50_activity: 0.15, bonds: 2, bonds_skipped: 0, bonds_unranked: 0, hits: 20, bidders: 50, bidders_outside: 0, provisional: i === keys.length - 1 }));
const series = (field, live, hindsight) => (_, url) => {
    const backtests = url.searchParams.get("backtests") === "true";
    return { top: 50, backtests, [`${field}s`]: backtests ? rowsOf(field, hindsight, 0.35) : rowsOf(field, live, 0.4) };
};
const snapshot = (name, served, hrd) => ({ snapshot: name, served, trained_until: "2024-11-28", auc: 0.8945, log_loss: 0.0725, recall: 0.5033, precision: 0.21, ece: 0.004, rationality: hrd && 0.91,
    diversity: hrd && 0.69, hrd, aesv: hrd && 0.283, others: hrd && 0.291, time: "2026-11-22T08:15:10.000Z" });
const FULL = {
    "/metrics/daily": series("day", ["2024-11-25", "2024-11-26", "2024-11-29"], ["2024-11-04", "2024-11-05"]),
    "/metrics/monthly": series("month", ["2024-10", "2024-11"], ["2024-08", "2024-09"]),
    "/metrics/snapshots": { total: 3, snapshots: [snapshot(SERVED, true, 0.787), snapshot("aaaa1111222233334444555566667777", false, 0.75), snapshot("bbbb1111222233334444555566667777", false, null)] },
    "/metrics/calibration": { snapshot: SERVED, bins: [[0.01, 0.012, 5000], [0.2, 0.19, 600], [0.5, 0.55, 40]].map(([mean_probability, rate, n]) => ({ low: 0, high: 1, n, mean_probability, rate })) },
    "/metrics/drift": { snapshot: SERVED, from: "2024-10-01", until: "2024-11-30", scores_psi: 0.11, fields: [0.3, 0.25, 0.2499, 0.1, 0.0999, ...Array.from({ length: 8 }, () => 0.01)].map((psi, i) => ({ field: `f${i}`, label: `field ${i}`, psi })) },
};
const NOTHING = {
    "/metrics/daily": { top: 50, backtests: false, days: [] }, "/metrics/snapshots": { total: 0, snapshots: [] }, "/metrics/calibration": { snapshot: "", bins: [] },
    "/metrics/drift": { snapshot: "", from: null, until: null, scores_psi: null, fields: [] }, "/bonds": { total: 0, limit: 100, offset: 0, business_day: null, bonds: [] },
};

const chart = (page, title) => page.locator("figure.chart", { hasText: title });
/** A chart's picture, to tell it from another; and how much of it is drawn on. */
const pictureOf = (locator) => locator.locator("canvas").evaluate((canvas) => canvas.toDataURL());
const inkOf = (locator) => locator.locator("canvas").evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, i) => i % 4 === 3 && value > 0).length;
});

test("recall and precision by day: drawn, in words, as a table, by the arrow keys", async (page) => {
    await standIn(page, FULL);
    await go(page, "#/quality", "figure.chart canvas");
    const recall = chart(page, "Recall@50");
    assert.ok(await inkOf(recall) > 1000, "there is a picture");
    assert.match(await recall.innerText(), /29 Nov 2024: 42\.0 % \(Live lists; interval 37\.0 % to 47\.0 %\)\. A ranking by activity alone: 31\.0 %\. Over 3 days it lay between 40\.0 % and 42\.0 %/);
    assert.deepEqual(await recall.locator(".chart-legend li").allInnerTexts(), ["Live lists", "Made in hindsight", "By activity alone"]);
    const dashes = await recall.locator(".swatch line").evaluateAll((lines) => lines.map((line) => line.getAttribute("stroke-dasharray")));
    assert.equal(new Set(dashes).size, 3, "lines differ by more than colour");
    await recall.locator(".chart-table summary").click();
    const rows = await recall.locator("tbody tr").allInnerTexts();
    assert.equal(rows.length, 5);
    assert.match(rows[0], /29 Nov 2024\s+42\.0 %\s+37\.0 % – 47\.0 %\s+–\s+–\s+31\.0 %/);
    assert.match(rows[4], /4 Nov 2024\s+–\s+–\s+35\.0 %\s+30\.0 % – 40\.0 %\s+31\.0 %/);
    const slider = recall.getByRole("slider");
    await slider.focus();
    await page.keyboard.press("Home");
    assert.match(await slider.getAttribute("aria-valuetext"), /^4 Nov 2024: Made in hindsight 35\.0 %/);
    assert.match(await recall.locator(".chart-at").innerText(), /^4 Nov 2024: Made in hindsight 35\.0 % \(30\.0 % to 40\.0 %\); By activity alone 31\.0 %$/);
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowLeft");
    assert.match(await slider.getAttribute("aria-valuetext"), /^26 Nov 2024: Live lists 41\.0 %/);
    assert.match(await page.locator(".quality-note").innerText(), /From 10 bonds\. One day may still change/);
});

test("months, and another language, draw the charts anew", async (page) => {
    await standIn(page, FULL);
    await go(page, "#/quality", "figure.chart canvas");
    const before = await pictureOf(chart(page, "Recall@50"));
    await page.click("text=By month");
    await page.waitForSelector("text=Nov 2024: 41.0 %");
    assert.notEqual(await pictureOf(chart(page, "Recall@50")), before);
    const months = await pictureOf(chart(page, "Recall@50"));
    await page.click("button:has-text('中文')");
    await page.waitForSelector("text=2024年11月：41.0%");
    assert.notEqual(await pictureOf(chart(page, "召回率@50")), months, "the axis speaks Chinese, too");
    assert.equal(await page.locator("figure.chart canvas").count(), await page.locator("figure.chart").count(), "no chart is drawn twice");
});

test("snapshots, calibration and drift say what they come to", async (page) => {
    await standIn(page, FULL);
    await go(page, "#/quality", "figure.chart canvas");
    const snapshots = await page.locator(".panel", { hasText: "Snapshots of the model" }).locator("tbody").first().locator("tr").allInnerTexts();
    assert.match(snapshots[0], /d4742416\s+in use\s+28 Nov 2024\s+0\.89\d\s+0\.0725\s+50\.3 %\s+21\.0 %\s+0\.0040\s+0\.910\s+0\.690\s+0\.787\s+0\.283\s+0\.291/);
    assert.match(snapshots[2], /bbbb1111.*–\s+–\s+–\s+–\s+–/);
    assert.match(await chart(page, "Reasons by snapshot").innerText(), /Newest of 2 snapshots with figures, d4742416: HRD 0\.787, AESV 0\.283/);
    assert.match(await chart(page, "Said and came true").innerText(), /On average 0\.32 % off, over 5,640 pairs/);
    const drift = page.locator(".panel", { hasText: "Has the market moved?" });
    assert.match(await drift.innerText(), /1 Oct 2024 to 30 Nov 2024, 13 features: 2 with a large shift, 2 with some\.[\s\S]*The model's scores:\s+0\.110\s+some shift/);
    const readings = await drift.locator("tbody tr").evaluateAll((rows) => rows.map((row) => row.lastElementChild.textContent));
    assert.deepEqual(readings.slice(0, 6), ["large shift", "large shift", "some shift", "some shift", "stable", "stable"]);
    assert.equal(readings.length, 10);
    await drift.locator("text=Show all 13 features").click();
    assert.equal(await drift.locator("tbody tr").count(), 13);
});

const GATES = { steps: [0, 1, 2, 3], hold: "b", curves: [{ field: "a", tag: "tag a", free: [0.5, 0.77, 0.3, 0.01], held: [0.5, 0.7, 0.9, 1] }, { field: "b", tag: "tag b", free: [0.5, 0.6, 0.9, 0.98], held: [0, 0, 0, 0] }] };
const LIST = { bond: "B1", as_of: "2024-11-29", snapshot: SERVED, backtest: false, pending: false, investors: [{ rank: 1, id: "I1", probability: 0.4, reasons: [{ field: "b", tag: "tag b" }], against: null, support: null }] };
const BONDS = { total: 1, limit: 100, offset: 0, business_day: "2024-11-29", bonds: [{ id: "B1", issuer: "S", announce_date: "2024-11-20", issue_date: "2024-12-02", state: "upcoming", cancelled: false, list: {} }] };

test("gates of a chosen investor; none, busy", async (page) => {
    let gates = GATES;
    const asked = [];
    await standIn(page, { ...FULL, "/bonds": BONDS, "/bonds/B1/recommendations": LIST, "/bonds/B1/investors/I1/gates": (_, url) => {
        asked.push(url.searchParams.get("hold"));
        return gates;
    } });
    await go(page, "#/quality", ".gates-bar button:enabled");
    await page.getByLabel("Hold shut").selectOption("b");
    await page.click("text=Draw the gates");
    assert.match(await chart(page, "Both free").innerText(), /“tag a” opens to 0\.77 and ends at 0\.01; “tag b” ends at 0\.98/);
    assert.match(await chart(page, "One held shut").innerText(), /With “tag b” held shut, “tag a” ends at 1\.00/);
    assert.deepEqual(asked, ["b"]);
    gates = { status: 404, body: { title: "None", status: 404, detail: "no gate that fell would have been selected" } };
    await page.getByLabel("Hold shut").selectOption("");
    await page.click("text=Draw the gates");
    await page.waitForSelector("text=Nothing is given up here");
    gates = { status: 429, body: { title: "Busy", status: 429, detail: "one at a time" } };
    await page.getByLabel("Hold shut").selectOption("b");
    await page.click("text=Draw the gates");
    await page.waitForSelector(".failure >> text=The desk is busy");
    gates = GATES;
    await page.click(".failure button");
    await chart(page, "Both free").waitFor();
}, { expected: [/status of (404|429)/] });

test("where there are no figures it says when there will be some", async (page) => {
    await standIn(page, NOTHING);
    await go(page, "#/quality", ".empty");
    for (const text of ["No book has closed yet", "No snapshot yet", "Not evaluated yet", "Nothing to compare yet", "No list yet"]) {
        await page.waitForSelector(`.empty-title >> text=${text}`);
    }
    await assertAccessible(page, "nothing there");
    assert.equal(await page.locator(".failure").count(), 0);
});

test("a part that fails leaves the others", async (page) => {
    let broken = true;
    await standIn(page, { ...FULL, "/metrics/calibration": () => (broken ? { status: 500, body: { title: "No", status: 500, detail: "made to fail" } } : FULL["/metrics/calibration"]),
        "/metrics/drift": { fields: null } });
    await go(page, "#/quality", ".failure");
    await chart(page, "Recall@50").waitFor();
    await page.locator(".panel", { hasText: "Has the market moved?" }).locator(".failure").waitFor();
    const panel = page.locator(".panel", { hasText: "Is a probability what it says?" });
    assert.match(await panel.innerText(), /Something went wrong in the desk[\s\S]*made to fail/);
    broken = false;
    await panel.locator("text=Try again").click();
    await chart(page, "Said and came true").waitFor();
}, { expected: [/status of 500/] });

test("hostile names stay text", async (page) => {
    await standIn(page, { ...FULL, "/metrics/drift": { ...FULL["/metrics/drift"], fields: HOSTILE.map((label) => ({ field: label, label, psi: 0.3 })) }, "/bonds": { ...BONDS, bonds: [{ ...BONDS.bonds[0], id: HOSTILE[0] }] } });
    await go(page, "#/quality", "figure.chart canvas");
    await page.waitForSelector(".drift-bar");
    assert.deepEqual(await page.locator("tbody th bdi").allTextContents(), HOSTILE);
    assert.equal(await page.title(), "Quality · Bookrunner");
    assert.equal(await page.evaluate(() => document.querySelector("main").scrollWidth > innerWidth), false, "nothing pushes the page aside");
}, { expected: [/status of 404/] });

test("axe finds nothing, in both languages, wide and narrow; it can be read without colours", async (page) => {
    await standIn(page, { ...FULL, "/bonds": BONDS, "/bonds/B1/recommendations": LIST, "/bonds/B1/investors/I1/gates": GATES });
    for (const [language, width] of [["en", 1280], ["zh", 1280], ["zh", 390]]) {
        await page.setViewportSize({ width, height: 844 });
        await page.goto("about:blank");
        await go(page, `#/quality?lang=${language}`, ".gates-bar button:enabled");
        await page.click(".gates-bar .button");
        await page.locator("figure.chart").nth(5).waitFor();
        for (const summary of await page.locator("summary").all()) {
            await summary.click();
        }
        await assertAccessible(page, `${language}, ${width}`);
        await picture(page, `quality ${language} ${width}`);
    }
    const before = await pictureOf(chart(page, "召回率@50"));
    await page.emulateMedia({ forcedColors: "active" });
    await until(page, () => matchMedia("(forced-colors: active)").matches);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    assert.notEqual(await pictureOf(chart(page, "召回率@50")), before, "charts take the system's colours");
    await picture(page, "quality forced colours");
});

test("what the desk itself says has no failure in it", async (page) => {
    await go(page, "#/quality", ".panel");
    await until(page, () => !document.querySelector(".panel .waiting"));
    assert.deepEqual(await page.locator(".failure").allInnerTexts(), []);
    assert.equal(await page.locator(".panel").count(), 5);
    await picture(page, "quality of the desk");
}, { expected: [/status of 404/] });

await run();
