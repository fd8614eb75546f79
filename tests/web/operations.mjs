// The operations page: what runs is told in words, what fails leaves the rest, and what changes something asks first.
import assert from "node:assert/strict";
import { api, assertAccessible, go, HOSTILE, picture, run, standIn, test, until } from "./page.mjs";

const OLD = "aaaa1111222233334444555566667777";
const SERVED = "d474241663f8fd268faf3f344fba638d";
const process = (name, changes = {}) => ({ name, pid: 4000, state: "running", since: "2026-11-22T08:11:02.123Z", restarts: 0, cpu_s: 12.5, memory_bytes: 48e6, ready: true, reason: "", ...changes });
const note = (record, changes = {}) => ({ record, id: "9a", time: "2026-11-22T08:12:00.000Z", user: "mei", topic: "call", bond: "B1", investor: "I1", subject: "", value: "called", chain: "abcd".repeat(8), ...changes });
const FULL = {
    "/status": { ledger_head: 62180, market: "simulated", business_day: "2024-11-29", bonds: 2666, investors: 1000, bids: 58512, snapshot: SERVED, lists: 34, todo: 3, results: 34, dead: 2, ranker_offset: 62180, evaluator_offset: 62180 },
    "/processes": { processes: ["ingester", "trainer", "ranker", "evaluator", "desk", "explainer-1"].map((name) => process(name)) },
    "/queue": { todo: 3, in_flight: 2, done: 1712, dead: 2, workers: [{ name: "explainer-1", credit: 2, held: 1, heard_ms: 120, engine: 4 }, { name: "explainer-2", credit: 2, held: 1, heard_ms: 42000, engine: 4 }] },
    "/jobs": { total: 2, jobs: [{ job: "9f3a", bond: "B1", reason: "ran out of time", attempts: 3 }, { job: "77aa", bond: null, reason: "no memory", attempts: 2 }] },
    "/snapshots": { served: SERVED, history: [{ event: "published", snapshot: OLD, parent: "", reason: "the first snapshot", time_s: 1795162510 },
        { event: "refused", snapshot: "bbbb1111222233334444555566667777", parent: OLD, reason: "worse log loss", time_s: 1795248910 }, { event: "published", snapshot: SERVED, parent: OLD, reason: "better", time_s: 1795335310 }] },
    "/rejects": (_, url) => ({ total: 37, rows: Array.from({ length: Math.min(37, Number(url.searchParams.get("limit"))) }, (_, i) => ({ time: "2026-11-22T08:12:00.000Z", source: "bids.csv", kind: "bid", id: `D${i}`, column: "bid_date", reason: "a bid after the issue day" })) }),
    "/audit": (_, url) => ({ total: 45, intact: true, notes: Array.from({ length: 20 }, (_, i) => note(100 - i - Number(url.searchParams.get("offset")))) }),
};
const asRole = async (role) => ({ "/me": { ...(await api("/me")), role } });
const panel = (page, title) => page.locator(".panel", { has: page.locator("h2", { hasText: title }) });
const frames = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

test("processes, queue, jobs, snapshots, rejected rows and the trail are there", async (page) => {
    await standIn(page, FULL);
    await go(page, "#/operations", ".table");
    assert.match(await panel(page, "Processes").innerText(), /All 6 run and are ready\.[\s\S]*ranker\s*makes the lists\s+runs\s+yes\s+22 Nov 2026.*\s+0\s+13 s\s+48 MB\s+4000/);
    assert.match(await panel(page, "Explanations at work").innerText(), /Waiting\s+3[\s\S]*Being worked on\s+2[\s\S]*Done\s+1,712[\s\S]*Failed for good\s+2[\s\S]*explainer-1\s+4\s+1 of 2\s+0\.1 s ago[\s\S]*explainer-2\s+4\s+1 of 2\s+42 s ago/);
    assert.match(await panel(page, "Rows that were not taken").innerText(), /The newest 20 of 37 rows\.[\s\S]*bids\.csv[\s\S]*D0\s+bid_date\s+a bid after the issue day/);
    await page.click("text=Show all that are kept");
    await until(page, () => [...document.querySelectorAll("tbody")].some((body) => body.rows.length === 37));
    const trail = panel(page, "Who did what");
    assert.match(await trail.innerText(), /The chain is intact[\s\S]*mei\s+marked a call\s+called\s+B1\s+I1\s+100\s+abcdabcd[\s\S]*1 to 20 of 45/);
    await trail.locator("text=Older").click();
    await page.waitForSelector("text=21 to 40 of 45");
    const snapshots = await panel(page, "Snapshots and the way back").locator("tbody tr").allInnerTexts();
    assert.match(snapshots[0], /d4742416\s+published\s+better\s+aaaa1111\s+in use/);
    assert.match(snapshots[1], /bbbb1111\s+refused\s+worse log loss\s+aaaa1111\s*$/);
    assert.match(snapshots[2], /aaaa1111\s+published\s+the first snapshot\s+–\s+Roll back/);
    assert.match(await page.locator(".facts-strip").innerText(), /29 Nov 2024[\s\S]*58,512/);
});

test("it asks again every five seconds and takes neither focus nor place", async (page) => {
    let asked = 0;
    await page.clock.install();
    await standIn(page, { ...FULL, "/processes": () => ({ processes: FULL["/processes"].processes.map((one) => ({ ...one, restarts: asked })) }), "/queue": () => ({ ...FULL["/queue"], done: 1000 + ++asked }) });
    await go(page, "#/operations", ".counts");
    await page.click("text=Show all that are kept");
    await page.focus("[aria-label='Roll back to snapshot aaaa1111']");
    await page.evaluate(() => {
        document.querySelector("main").scrollTop = 333;
        document.querySelectorAll(".table")[4].scrollTop = 55;
    });
    const before = await page.evaluate(() => document.querySelector("main").scrollTop);
    assert.equal(asked, 1);
    for (let turn = 2; turn <= 3; turn++) {
        await page.clock.runFor(5000);
        await page.waitForSelector(`.counts >> text=1,00${turn}`);
    }
    await frames(page);
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Roll back to snapshot aaaa1111");
    assert.equal(await page.evaluate(() => document.querySelector("main").scrollTop), before);
    assert.equal(await page.evaluate(() => document.querySelectorAll(".table")[4].scrollTop), 55);
    await page.click("text=Hold still");
    await page.clock.runFor(15000);
    await frames(page);
    assert.equal(asked, 3, "it holds still");
    await page.click("text=Hold still");
    await page.waitForSelector(".counts >> text=1,004");
    await page.clock.runFor(5000);
    await page.waitForSelector(".counts >> text=1,005");
});

test("a stopped ranker, an explainer that is not ready and a desk that is away are told in words", async (page) => {
    await page.clock.install();
    await standIn(page, { ...FULL, "/processes": { processes: [process("ranker", { state: "stopped", ready: false, reason: "SIGSTOP" }), process("explainer-1", { ready: false, reason: "no snapshot" }), process("odd one", { state: "failing", ready: false })] } });
    await go(page, "#/operations", ".banner");
    const alarms = page.locator(".alarms[aria-live=polite]");
    assert.match(await alarms.innerText(), /ranker is stopped\. No new lists are made; those on the pages grow stale\. \(SIGSTOP\)[\s\S]*explainer-1 is not ready\. Reasons come later[\s\S]*odd one keeps failing\./);
    assert.match(await alarms.innerText(), /2 explanations failed for good\./);
    assert.match(await panel(page, "Processes").innerText(), /0 of 3 run and are ready/);
    await page.unrouteAll();
    await page.route("**/api/v1/**", (route) => route.abort());
    await page.clock.runFor(5000);
    await page.waitForSelector(".banner >> text=The desk does not answer.");
    assert.match(await panel(page, "Processes").innerText(), /Not up to date:[\s\S]*ranker/, "what was said last stays");
}, { expected: [/ERR_FAILED/] });

test("a roll back says what it will do, can be left, and is done once", async (page) => {
    let served = SERVED;
    const sent = await standIn(page, { ...FULL, "/snapshots": () => ({ ...FULL["/snapshots"], served }), "/snapshots/rollback": () => {
        served = OLD;
        return { served };
    } });
    await go(page, "#/operations", ".table");
    const button = page.locator("[aria-label='Roll back to snapshot aaaa1111']");
    await button.focus();
    await page.keyboard.press("Enter");
    const dialog = page.locator("dialog[open]");
    assert.match(await dialog.innerText(), /Roll back to aaaa1111\?[\s\S]*Snapshot aaaa1111 takes the place of d4742416[\s\S]*New lists are made with it[\s\S]*audit trail under your name/);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Cancel", "the safe answer has the focus");
    await assertAccessible(page, "the dialog");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.ok(await button.evaluate((element) => element === document.activeElement));
    assert.deepEqual(sent, []);
    await button.click();
    await dialog.locator("button.primary").click();
    await page.waitForSelector(".note:has-text('Snapshot aaaa1111 is in use now.')");
    assert.deepEqual(sent.map(({ path, body }) => [path, body]), [["/snapshots/rollback", { snapshot: OLD }]]);
    await page.waitForSelector("[aria-label='Roll back to snapshot d4742416']");
});

test("one dead job or all are tried again; what is refused says why", async (page) => {
    let answer = { jobs: 1 };
    const sent = await standIn(page, { ...FULL, "/jobs/retry": () => answer });
    await go(page, "#/operations", ".table");
    await page.click("[aria-label='Retry the reasons of B1']");
    await page.waitForSelector(".note:has-text('One job waits')");
    answer = { jobs: 2 };
    await page.click("text=Retry all 2");
    await page.waitForSelector(".note:has-text('2 jobs wait')");
    assert.deepEqual(sent.map(({ body }) => body), [{ job: "9f3a" }, { job: "" }]);
    answer = { status: 503, body: { title: "Away", status: 503, detail: "the ranker is away" } };
    await page.click("text=Retry all 2");
    await page.waitForSelector(".note.problem:has-text('the ranker is away')");
}, { expected: [/status of 503/] });

test("who is no operator sees everything but the trail, and why nothing can be done", async (page) => {
    await standIn(page, { ...FULL, ...(await asRole("desk")), "/audit": { status: 403, body: { title: "No", status: 403, detail: "no" } } });
    await go(page, "#/operations", ".table");
    assert.match(await page.locator(".read-only").innerText(), /only operators may retry jobs, roll back and read the audit trail\. Your role is desk\./);
    assert.equal(await page.locator("button:has-text('Retry'), button:has-text('Roll back')").count(), 0);
    await page.waitForSelector("text=Only operators may read the audit trail");
    assert.match(await panel(page, "Jobs that failed for good").innerText(), /ran out of time/);
    assert.equal(await page.locator(".failure").count(), 0);
});

test("a part that fails leaves the others; a broken chain is told", async (page) => {
    await standIn(page, { ...FULL, "/queue": { status: 500, body: { title: "No", status: 500, detail: "made to fail" } }, "/jobs": { jobs: null }, "/audit": { ...FULL["/audit"](null, new URL("http://x/?offset=0")), intact: false, broken_record: 1234 } });
    await go(page, "#/operations", ".table");
    assert.match(await panel(page, "Explanations at work").locator(".failure").innerText(), /made to fail/);
    await panel(page, "Jobs that failed for good").locator(".failure").waitFor();
    await panel(page, "Who did what").locator(".state.bad", { hasText: "The chain is broken at record 1,234" }).waitFor();
    assert.equal(await panel(page, "Processes").locator("tbody tr").count(), 6);
}, { expected: [/status of 500/] });

test("nothing there is said, and hostile names stay text", async (page) => {
    await standIn(page, { ...FULL, "/processes": { processes: [] }, "/queue": { todo: 0, in_flight: null, done: 0, dead: 0, workers: [], reason: "the ranker is away" }, "/jobs": { total: 0, jobs: [] },
        "/snapshots": { served: "", history: [] }, "/rejects": { total: 0, rows: [] }, "/audit": { total: 0, intact: true, notes: [] } });
    await go(page, "#/operations", ".empty");
    for (const text of ["Nobody tells of processes", "No worker is there", "the ranker is away", "None has failed", "No snapshot yet", "Every row was taken", "Nobody has done anything yet"]) {
        await page.waitForSelector(`.empty >> text=${text}`);
    }
    await assertAccessible(page, "nothing there");
    await page.unrouteAll();
    await standIn(page, { ...FULL, "/processes": { processes: HOSTILE.map((name) => process(name, { reason: name })) }, "/jobs": { total: 4, jobs: HOSTILE.map((name) => ({ job: name, bond: name, reason: name, attempts: 1 })) },
        "/rejects": { total: 4, rows: HOSTILE.map((name) => ({ time: "x", source: name, kind: "bid", id: name, column: name, reason: name })) },
        "/audit": { total: 4, intact: true, notes: HOSTILE.map((name, i) => note(i, { user: name, bond: name, investor: name, subject: name, value: name })) } });
    await page.reload();
    await page.waitForSelector(".table");
    for (const title of ["Processes", "Jobs that failed for good", "Rows that were not taken", "Who did what"]) {
        const names = await panel(page, title).locator("tbody th bdi").allTextContents();
        assert.deepEqual(names, HOSTILE, title);
    }
    assert.equal(await page.title(), "Operations · Bookrunner");
    assert.equal(await page.evaluate(() => document.querySelector("main").scrollWidth > innerWidth), false, "nothing pushes the page aside");
});

test("axe finds nothing, in both languages, wide and narrow", async (page) => {
    await standIn(page, { ...FULL, "/processes": { processes: [process("ranker", { state: "stopped", ready: false, reason: "SIGSTOP" }), process("desk")] } });
    for (const [language, width] of [["en", 1280], ["zh", 1280], ["zh", 390]]) {
        await page.setViewportSize({ width, height: 844 });
        await page.goto("about:blank");
        await go(page, `#/operations?lang=${language}`, ".table");
        await assertAccessible(page, `${language}, ${width}`);
        await picture(page, `operations ${language} ${width}`);
    }
    await page.emulateMedia({ forcedColors: "active" });
    await picture(page, "operations forced colours");
});

test("what the desk itself says has no failure in it", async (page) => {
    await go(page, "#/operations", ".panel");
    await until(page, () => !document.querySelector(".panel .waiting"));
    assert.deepEqual(await page.locator(".failure").allInnerTexts(), []);
    assert.equal(await page.locator(".panel").count(), 6);
    await picture(page, "operations of the desk");
});

await run();
