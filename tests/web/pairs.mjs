// Pairs of issuers: one at a time, answered by keys, both sides described, nothing of how others voted, and figures below that say what they mean.
import assert from "node:assert/strict";
import { api, assertAccessible, go, HOSTILE, picture, run, standIn, test, until } from "./page.mjs";

const READ_MS = 350; // longer than what counts as a second press of the same key

const side = (issuer, n) => ({ issuer, bonds: 3 + n, investors: 40 + n, category: { name: "industry", label: "issuer industry", kind: "categorical", value: `trade ${n}` },
    latest: { id: `B${issuer}`, issue_date: "2024-12-16", features: [{ name: "period", label: "issuance period", kind: "ordinal", value: "3Y" },
        { name: "size", label: "issue size", kind: "continuous", value: 7.25 }, { name: "green", label: "green bond", kind: "flag", value: "no" }] } });
const question = (n, name = "") => ({ n, x: side(`${name}X${n}`, n), y: side(`${name}Y${n}`, n + 1), ticket: `ticket ${n}` });
const FIGURES = { pairs: 12, complete: 9, votes: 50, raters: 7, valid: { 3: 6, 4: 4, 5: 2 }, threshold: 3, share_valid: 0.62, observed: 0.71, fleiss_kappa: 0.35, krippendorff_alpha: 0.36,
    words: ["Two people who judge the same pair agree in 71 of 100 cases.", "Fleiss' kappa is 0.35: fair agreement."] };
const ROWS = (url) => ({ total: 41, limit: 20, offset: Number(url.searchParams.get("offset")), threshold: Number(url.searchParams.get("threshold")),
    pairs: [{ x: "X1", y: "Y1", votes: 5, yes: 3, valid: url.searchParams.get("threshold") === "3" ? "yes" : "no" }, { x: "X2", y: "Y1", votes: 2, yes: null, valid: "open" }] });

/** A desk with `count` questions. */
async function desk(page, count, name) {
    const state = { at: 1, fail: 0 };
    const sent = await standIn(page, {
        "/pairs/question": () => (state.at > count ? undefined : question(state.at, name)),
        "/pairs/votes": () => {
            if (state.fail > 0) {
                return { status: state.fail, body: { title: "No", detail: "made to fail", status: state.fail } };
            }
            state.at++;
            return { status: 201, body: { id: "1", record: 1, time: "2026-01-01T00:00:00.000Z", user: "local" } };
        },
        "/pairs/undo": () => {
            state.at--;
            return {};
        },
        "/pairs": FIGURES,
        "/pairs/table": (_, url) => ROWS(url),
    });
    return { state, sent };
}

const shows = (page, n) => until(page, (text) => document.querySelector(".question-top h2")?.textContent.startsWith(text), `Question ${n}`);

test("pairs by keys: yes, no, skip, undo, and a friendly end", async (page) => {
    const { sent } = await desk(page, 3);
    await go(page, "#/pairs", ".issuer");
    assert.equal(await page.locator(".side").count(), 2);
    const [bid, recommended] = await page.locator(".side").allInnerTexts();
    assert.match(bid, /They bid on[\s\S]*X1[\s\S]*trade 1[\s\S]*4[\s\S]*41[\s\S]*BX1[\s\S]*16 Dec 2024[\s\S]*issuance period[\s\S]*3Y[\s\S]*7\.25[\s\S]*no/);
    assert.match(recommended, /We recommend[\s\S]*Y1[\s\S]*trade 2/);
    assert.match(await page.locator(".question-text").innerText(), /Recommend the bonds of .Y1., because they bid on the bonds of .X1.: does that make sense\?/);
    assert.ok(await page.locator("button:has-text('Undo the last answer')").isDisabled(), "there is nothing to undo yet");
    for (const [key, at] of [["1", 2], ["2", 3], ["u", 2], ["Shift+S", 2], ["s", 3]]) {
        await page.waitForTimeout(READ_MS);
        await page.keyboard.press(key);
        await shows(page, at);
        if (key !== "Shift+S") {
            await until(page, () => document.activeElement.matches(".question-top h2"));
        }
    }
    await page.waitForTimeout(READ_MS);
    await page.click("text=Makes no sense");
    await page.waitForSelector(".done");
    assert.match(await page.locator(".done").innerText(), /All done\. Thank you!/);
    await until(page, () => document.activeElement.matches(".done h2"));
    assert.deepEqual(sent.map(({ path, body }) => [path, body]), [["/pairs/votes", { ticket: "ticket 1", vote: "yes" }], ["/pairs/votes", { ticket: "ticket 2", vote: "no" }],
        ["/pairs/undo", {}], ["/pairs/votes", { ticket: "ticket 2", vote: "skip" }], ["/pairs/votes", { ticket: "ticket 3", vote: "no" }]]);
    assert.equal(new Set(sent.map(({ key }) => key)).size, sent.length);
    await page.keyboard.press("u");
    await shows(page, 3);
});

test("a key that is held or pressed twice answers once, and a dialog keeps its keys", async (page) => {
    const { sent } = await desk(page, 9);
    await go(page, "#/pairs", ".issuer");
    await page.waitForTimeout(READ_MS);
    await page.keyboard.down("1");
    await page.keyboard.down("1");
    await page.keyboard.up("1");
    await page.keyboard.press("1");
    await shows(page, 2);
    await page.waitForTimeout(READ_MS);
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open]");
    assert.match(await page.locator("dialog").innerText(), /makes sense, makes no sense/);
    await page.keyboard.press("2");
    await page.keyboard.press("Escape");
    assert.equal(sent.length, 1);
});

test("what is not saved keeps its question; a pair that others completed goes on to the next", async (page) => {
    const { state, sent } = await desk(page, 9);
    await go(page, "#/pairs", ".issuer");
    await page.waitForTimeout(READ_MS);
    state.fail = 503;
    await page.keyboard.press("1");
    await page.waitForSelector(".not-saved[role=alert]");
    assert.match(await page.locator(".not-saved").innerText(), /Not saved\. Answer again to retry\..*made to fail/);
    await shows(page, 1);
    state.fail = 409;
    await page.waitForTimeout(READ_MS);
    state.at = 3;
    await page.keyboard.press("1");
    await page.waitForSelector(".note:has-text('This pair has its votes by now')");
    await shows(page, 3);
    assert.equal(sent.length, 2);
}, { expected: [/status of (503|409)/] });

test("agreement in figures and in words; the table by threshold and page", async (page) => {
    await desk(page, 1);
    await go(page, "#/pairs", ".agreement-words");
    const panel = page.locator(".panel", { hasText: "How far people agree" });
    assert.match(await panel.innerText(), /71 of 100 cases[\s\S]*fair agreement[\s\S]*Pairs with a vote\s+12[\s\S]*all five\s+9[\s\S]*Votes\s+50[\s\S]*62\.0 %[\s\S]*Valid by 3 of 5\s+6[\s\S]*Valid by 5 of 5\s+2[\s\S]*71\.0 %[\s\S]*0\.35[\s\S]*0\.36/);
    const table = page.locator(".panel", { hasText: "How a pair stands" });
    assert.match(await table.innerText(), /X1\s+Y1\s+5\s+3\s+valid[\s\S]*X2\s+Y1\s+2\s+–\s+open[\s\S]*1 to 20 of 41/);
    await table.locator("button:has-text('5 of 5')").click();
    await until(page, () => document.body.innerText.includes("not valid"));
    await table.locator("button:has-text('Next')").click();
    await until(page, () => document.body.innerText.includes("21 to 40 of 41"));
});

test("a vote on the real desk is one, and is taken back", async (page) => {
    const before = await api("/pairs");
    await go(page, "#/pairs", ".issuer");
    const issuers = await page.locator(".issuer").allInnerTexts();
    const asked = await api("/pairs/question");
    assert.deepEqual(issuers.map((text) => text.trim()), [asked.x.issuer, asked.y.issuer]);
    await page.waitForTimeout(READ_MS);
    await page.keyboard.press("1");
    await shows(page, asked.n + 1);
    assert.equal((await api("/pairs")).votes, before.votes + 1);
    await page.keyboard.press("u");
    await shows(page, asked.n);
    assert.equal((await api("/pairs")).votes, before.votes);
    const again = await api("/pairs/question");
    assert.deepEqual([again.x.issuer, again.y.issuer], [asked.x.issuer, asked.y.issuer], "what was taken back comes again");
});

test("hostile names stay text", async (page) => {
    for (const name of HOSTILE) {
        await page.unrouteAll();
        await desk(page, 1, name);
        await page.goto("about:blank");
        await go(page, "#/pairs", ".issuer");
        assert.equal(await page.locator(".issuer").first().textContent(), `${name}X1`);
        assert.equal(await page.title(), "Pairs · Bookrunner");
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "nothing pushes the page aside");
    }
});

test("axe finds nothing, in both languages, wide and narrow", async (page) => {
    const { state } = await desk(page, 2);
    for (const [language, width] of [["en", 1280], ["zh", 1280], ["zh", 390]]) {
        await page.setViewportSize({ width, height: 844 });
        state.at = 1;
        await page.goto("about:blank");
        await go(page, `#/pairs?lang=${language}`, ".issuer");
        await page.waitForSelector(".agreement-words");
        await assertAccessible(page, `a pair, ${language}, ${width}`);
        await picture(page, `pairs ${language} ${width}`);
        state.at = 9;
        await page.goto("about:blank");
        await go(page, `#/pairs?lang=${language}`, ".done");
        await assertAccessible(page, `the end, ${language}, ${width}`);
    }
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
});

await run();
