// Side by side: answering by keys, nothing that names a method, and a result that says what is shown.
import assert from "node:assert/strict";
import { api, assertAccessible, go, HOSTILE, picture, run, standIn, test, until } from "./page.mjs";

const READ_MS = 350; // longer than what counts as a second press of the same key

const reason = (tag, category, i) => ({ tag, sentence: `${tag}. Without it the odds fall by ${10 + i} per cent.`, category, field: tag, value: "", gain: 0.1, backing: 3, bids: 12 });
const CATEGORIES = ["preference", "attribute", "ability"];

function question(n, names = {}) {
    const side = (which) => Array.from({ length: 6 }, (_, i) => reason(`${names.tag ?? ""}${i < 2 ? "common" : which} ${i} of ${n}`, CATEGORIES[i % 3], i));
    return { n, bond: { id: names.bond ?? `B${n}`, issuer: names.issuer ?? "S1", features: { period: "3Y", size: 7.25, green: "no" }, issue_date: "2024-12-16",
        feature_fields: [["period", "issuance period", "ordinal", "3Y"], ["size", "issue size", "continuous", 7.25], ["green", "green bond", "flag", "no"]].map(([name, label, kind, value]) => ({ name, label, kind, value, values: [] })) },
        investor: names.investor ?? `I${n}`, probability: 0.347, left: side("left"), right: side("right"), ticket: `ticket ${n}` };
}

/** A desk with `count` questions. */
async function desk(page, count, names) {
    const state = { at: 1, fail: 0 };
    const sent = await standIn(page, {
        "/study/question": () => (state.at > count ? undefined : question(state.at, names)),
        "/study/answers": () => {
            if (state.fail > 0) {
                return { status: state.fail, body: { title: "No", detail: "made to fail", status: state.fail } };
            }
            state.at++;
            return { status: 201, body: { id: "1", record: 1, time: "2026-01-01T00:00:00.000Z", user: "local" } };
        },
        "/study/undo": () => {
            state.at--;
            return {};
        },
    });
    return { state, sent };
}

const shows = (page, n) => until(page, (text) => document.querySelector(".question-top h2")?.textContent.startsWith(text), `Question ${n}`);

test("a study by keys: left, right, tie, skip, undo, and a friendly end", async (page) => {
    const { sent } = await desk(page, 4);
    await go(page, "#/study", ".side-reason");
    assert.equal(await page.locator(".side").count(), 2);
    assert.equal(await page.locator(".side-reason").count(), 12);
    assert.match(await page.locator(".case").innerText(), /I1[\s\S]*34\.7 %[\s\S]*B1[\s\S]*S1[\s\S]*16 Dec 2024[\s\S]*issuance period[\s\S]*3Y[\s\S]*7\.25[\s\S]*no/);
    assert.equal(await page.locator(".in-both").count(), 4, "two reasons stand on both sides");
    assert.ok(await page.locator("button:has-text('Undo the last answer')").isDisabled(), "there is nothing to undo yet");
    const keys = ["1", "2", "u", "t", "S", "s"];
    const at = [2, 3, 2, 3, 3, 4];
    for (const [i, key] of keys.entries()) {
        await page.waitForTimeout(READ_MS);
        await page.keyboard.press(key === "S" ? "Shift+S" : key);
        await shows(page, at[i]);
        if (key !== "S") {
            await until(page, () => document.activeElement.matches(".question-top h2"));
        }
    }
    await page.waitForTimeout(READ_MS);
    await page.click("text=Right persuades more");
    await page.waitForSelector(".done");
    assert.match(await page.locator(".done").innerText(), /All done\. Thank you!/);
    await until(page, () => document.activeElement.matches(".done h2"));
    await until(page, () => document.querySelector("[role=status].hidden").textContent.includes("All done"));
    assert.deepEqual(sent.map(({ path, body }) => [path, body.ticket, body.choice]), [["/study/answers", "ticket 1", "left"], ["/study/answers", "ticket 2", "right"],
        ["/study/undo", undefined, undefined], ["/study/answers", "ticket 2", "tie"], ["/study/answers", "ticket 3", "skip"], ["/study/answers", "ticket 4", "right"]]);
    for (const { path, body, key } of sent) {
        assert.match(key, /^[A-Za-z0-9_-]{1,64}$/);
        assert.ok(path === "/study/undo" || (body.milliseconds >= 300 && body.milliseconds < 30000), `took ${body.milliseconds} ms`);
    }
    assert.equal(new Set(sent.map(({ key }) => key)).size, sent.length);
    await page.keyboard.press("u");
    await shows(page, 4);
});

test("a key that is held or pressed twice answers once", async (page) => {
    const { sent } = await desk(page, 9);
    await go(page, "#/study", ".side-reason");
    await page.waitForTimeout(READ_MS);
    await page.keyboard.down("1");
    await page.keyboard.down("1");
    await page.keyboard.up("1");
    await page.keyboard.press("1");
    await shows(page, 2);
    await page.keyboard.press("1");
    await page.waitForTimeout(READ_MS);
    assert.equal(sent.length, 1);
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open]");
    await page.keyboard.press("2");
    await page.keyboard.press("Escape");
    assert.equal(sent.length, 1, "a dialog keeps its keys");
});

test("an answer that is not saved keeps its question and says so; one of elsewhere goes on", async (page) => {
    const { state, sent } = await desk(page, 9);
    await go(page, "#/study", ".side-reason");
    await page.waitForTimeout(READ_MS);
    state.fail = 503;
    await page.keyboard.press("1");
    await page.waitForSelector(".not-saved[role=alert]");
    assert.match(await page.locator(".not-saved").innerText(), /Not saved\. Answer again to retry\..*made to fail/);
    await shows(page, 1);
    state.fail = 0;
    await page.keyboard.press("2");
    await shows(page, 2);
    assert.equal(await page.locator(".not-saved").count(), 0);
    state.fail = 409;
    await page.waitForTimeout(READ_MS);
    state.at = 3;
    await page.keyboard.press("1");
    await page.waitForSelector(".note:has-text('answered elsewhere')");
    await shows(page, 3);
    assert.equal(sent.length, 3);
}, { expected: [/status of (503|409)/] });

test("a desk that is busy is asked once more; where nothing is left to undo it says so", async (page) => {
    let asked = 0;
    await page.clock.install();
    await standIn(page, { "/study/question": () => (++asked < 3 ? { status: 429, body: { title: "Busy", status: 429, detail: "" } } : question(5)), "/study/undo": { withdrawn: false } });
    await go(page, "#/study", "[role=status]");
    while (asked < 3) {
        await page.clock.runFor(1000);
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(done)));
    }
    await shows(page, 5);
    await page.keyboard.press("u");
    await page.waitForSelector(".note:has-text('There is no answer to withdraw.')");
    await shows(page, 5);
}, { expected: [/status of 429/] });

test("nothing that comes or stands on the page names a method before the vote", async (page) => {
    const { methods } = await api("/study");
    const seen = [];
    page.on("response", async (answer) => {
        if (answer.url().includes("/api/")) {
            seen.push(`${answer.url()} ${JSON.stringify(answer.headers())} ${await answer.text().catch(() => "")}`);
        }
    });
    await go(page, "#/study", ".side-reason");
    await page.waitForTimeout(READ_MS);
    await page.keyboard.press("1");
    await shows(page, 2);
    seen.push(await page.content());
    await page.waitForTimeout(READ_MS);
    await page.keyboard.press("u");
    await shows(page, 1);
    assert.ok(seen.length >= 3);
    for (const text of seen) {
        for (const method of methods) {
            assert.doesNotMatch(text, new RegExp(`(?<![\\w-])${method}(?![\\w-])`)); // "asset-backed" is no method
        }
    }
});

const RESULT = { methods: ["backed", "gumbel"], answers: 212, ties: 17, skips: 5, equal_dropped: 31, raters: 9, share: 0.604, low: 0.521, high: 0.683, p: 0.018,
    interval: "cluster bootstrap by rater", needed: 180, shown: true, verdict: "shown" };

test("a result says its share, interval and whether it is shown", async (page) => {
    let data = RESULT;
    await standIn(page, { "/study": () => data });
    await go(page, "#/study/result", ".verdict");
    const first = page.locator(".panel").first();
    assert.match(await first.innerText(), /Shown[\s\S]*60\.4 % of 212 choices between backed and gumbel went to backed \(95 % interval 52\.1 % to 68\.3 %\)\. The interval leaves out one half: backed persuades more\./);
    assert.match(await first.locator("svg.share").getAttribute("aria-label"), /60\.4 %.*52\.1 % to 68\.3 %/);
    const place = (part) => first.locator(part).evaluate((element) => element.getBoundingClientRect().left);
    assert.ok(await place(".share-interval") > await place(".share-half"), "the interval is drawn beyond one half");
    for (const row of [/Choices of a side\s+212/, /People who chose\s+9/, /Both alike\s+17/, /Skipped\s+5/, /both sets equal\s+31/, /bootstrap/]) {
        assert.match(await first.locator("table").innerText(), row);
    }
    data = { ...RESULT, answers: 25, choices: 20, missing: 760, design_effect: 2, share: 0.55, low: 0.34, high: 0.74, needed: 780, raters: 1, interval: "Wilson", shown: false };
    await page.reload();
    await page.waitForSelector(".state.none");
    assert.match(await first.innerText(), /Not shown[\s\S]*chance alone[\s\S]*About 760 more answers are needed[\s\S]*Worth as many independent choices as\s+about 10/);
    data = { ...RESULT, answers: 0, raters: 0, share: null, low: null, high: null, p: null, interval: "none", needed: null, shown: false };
    await page.reload();
    await page.waitForSelector("text=No answers yet");
});

test("the worked example says that 344 of 660 is not shown", async (page) => {
    await go(page, "#/study/result", ".panel:nth-child(1) >> text=A worked example");
    const example = page.locator(".panel", { hasText: "A worked example: 344 of 660" });
    await example.locator(".verdict").waitFor();
    assert.match(await example.innerText(), /Not shown[\s\S]*52\.1 % of 660[\s\S]*48\.3 % to 55\.9 %[\s\S]*28 of 100[\s\S]*about 4,[34]\d\d answers/);
    assert.equal(await example.locator(".verdict").innerText().then((text) => text.trim()), "Not shown");
});

test("hostile names stay text", async (page) => {
    for (const name of HOSTILE) {
        await page.unrouteAll();
        await desk(page, 1, { investor: name, bond: name, issuer: name, tag: name });
        await page.goto("about:blank");
        await go(page, "#/study", ".side-reason");
        assert.ok((await page.locator(".case bdi").first().textContent()) === name);
        assert.ok((await page.locator(".side-reason .tag-text").first().textContent()).startsWith(name));
        assert.equal(await page.title(), "Side by side · Bookrunner");
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "nothing pushes the page aside");
    }
});

test("axe finds nothing, in both languages, wide and narrow", async (page) => {
    const { state } = await desk(page, 2);
    for (const [language, width] of [["en", 1280], ["zh", 1280], ["zh", 390]]) {
        await page.setViewportSize({ width, height: 844 });
        state.at = 1;
        await page.goto("about:blank");
        await go(page, `#/study?lang=${language}`, ".side-reason");
        await assertAccessible(page, `a question, ${language}, ${width}`);
        await picture(page, `study ${language} ${width}`);
        await go(page, `#/study/result?lang=${language}`, ".panel table");
        await assertAccessible(page, `the result, ${language}, ${width}`);
        await picture(page, `study result ${language} ${width}`);
        state.at = 9;
        await go(page, `#/study?lang=${language}`, ".done");
        await assertAccessible(page, `the end, ${language}, ${width}`);
    }
    await page.emulateMedia({ forcedColors: "active" });
    state.at = 1;
    await page.reload();
    await page.waitForSelector(".side-reason");
    await picture(page, "study forced colours");
});

await run();
