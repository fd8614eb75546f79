// What goes wrong, in words: unknown things, a desk that fails, is late or away, and lists that need a word of care.
import assert from "node:assert/strict";
import { api, go, hashOf, listedBonds, picture, run, test, until } from "./page.mjs";

const [bond, other] = await listedBonds();
const list = `**/api/v1/bonds/${bond}/recommendations?*`;
const whole = await api(`/bonds/${bond}/recommendations?lang=en`);
const problem = (status, detail) => ({ status, contentType: "application/problem+json", body: JSON.stringify({ title: "A title", status, detail }) });
const NET = [/Failed to load resource/];

test("a bond and a page that do not exist", async (page) => {
    await go(page, hashOf("bonds", "no such bond"), ".failure");
    assert.match(await page.locator(".failure").textContent(), /no such thing.*404/s);
    await go(page, "#/nothing", ".failure");
    assert.match(await page.locator(".failure").textContent(), /404/);
    await picture(page, "not-found");
}, { expected: NET });

test("an error of the desk says so, and another try brings the list", async (page) => {
    await page.route(list, (route) => route.fulfill(problem(500, "the store is full")));
    await go(page, hashOf("bonds", bond), ".failure");
    assert.match(await page.locator(".failure").textContent(), /went wrong.*the store is full.*500/s);
    assert.ok(await page.locator("h1").count(), "the bond itself is shown");
    await picture(page, "error-500");
    await page.unroute(list);
    await page.click(".failure button");
    await page.waitForSelector(".rows .tag");
}, { expected: NET });

test("an answer that is no JSON, and one that never comes", async (page) => {
    await page.clock.install();
    await page.route(list, (route) => route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad Gateway</h1>" }));
    await go(page, hashOf("bonds", bond), ".failure");
    assert.match(await page.locator(".failure").textContent(), /502/);
    await page.unroute(list);
    await page.route(list, () => {});
    const asked = page.waitForRequest((request) => request.url().includes(`${bond}/recommendations`));
    await page.click(".failure button");
    await asked;
    await page.clock.runFor(16000);
    await page.locator(".failure", { hasText: "took too long" }).waitFor();
    await page.unroute(list);
}, { expected: NET });

test("a desk that goes away leaves the list with a warning, and it goes when the desk is back", async (page) => {
    await page.clock.install();
    await go(page, hashOf("bonds", bond));
    await page.route("**/api/v1/**", (route) => route.abort());
    const failed = page.waitForEvent("requestfailed", (request) => request.url().includes("/recommendations"));
    await page.clock.runFor(11000);
    await failed;
    await page.locator(".banner.warning", { hasText: "Not up to date" }).waitFor();
    assert.equal(await page.locator(".rows .row").count(), 50);
    await picture(page, "away");
    await page.unroute("**/api/v1/**");
    await page.clock.runFor(11000);
    await until(page, () => !document.querySelector(".banner.warning"));
}, { expected: NET });

test("nobody signed in, and nobody there", async (page) => {
    await page.route("**/api/v1/me", (route) => route.fulfill(problem(401, "")));
    await go(page, "#/bonds", ".failure");
    assert.match(await page.locator(".failure").textContent(), /Sign in/);
    await page.unroute("**/api/v1/me");
    await page.click(".failure button");
    await page.waitForSelector(".bond");
}, { expected: NET });

for (const [what, change, words] of [
    ["stale", { stale: { reason: "the ranker has not been heard of for 42 s" } }, /may be stale:.*42 s/],
    ["a backtest", { backtest: true }, /backtest.*hindsight/],
    ["without reasons for good", { failure: "given up after three tries" }, /no reasons:.*three tries/],
    ["by an earlier model", { served: false }, /earlier model/],
]) {
    test(`a list that is ${what} says so`, async (page) => {
        await page.route(list, (route) => route.fulfill({ json: { ...whole, ...change } }));
        await go(page, hashOf("bonds", bond));
        assert.match((await page.locator(".banner").allTextContents()).join(" "), words);
        await picture(page, `banner ${what}`);
    });
}

test("where nothing is upcoming all bonds with a list are there, and where none is the page says when there will be some", async (page) => {
    const none = { json: { total: 0, limit: 100, offset: 0, business_day: null, bonds: [] } };
    await page.route("**/api/v1/bonds?*state=upcoming*", (route) => route.fulfill(none));
    await go(page, "#/bonds", ".bond");
    assert.equal(await page.locator(".filters select").first().inputValue(), "");
    await page.selectOption(".filters select >> nth=0", "upcoming");
    await page.waitForSelector(".bonds .empty");
    assert.equal(await page.locator(".filters select").first().inputValue(), "upcoming", "what is chosen by hand stays");
    assert.match(await page.locator(".bonds .empty").textContent(), /No bonds found/);
    await page.route("**/api/v1/bonds?*", (route) => route.fulfill(none));
    await page.reload();
    await page.waitForSelector(".bonds .empty >> text=No lists yet");
});

test("a bond without a list says when there will be one", async (page) => {
    await page.route(`**/api/v1/bonds/${bond}?*`, async (route) => {
        const answer = await route.fetch();
        await route.fulfill({ json: { ...(await answer.json()), list: null } });
    });
    await go(page, hashOf("bonds", bond), ".empty");
    assert.match(await page.locator(".chosen .empty").textContent(), /No list yet/);
});

test("who may only read sees marks and makes none", async (page) => {
    await page.route("**/api/v1/me", async (route) => route.fulfill({ json: { ...(await api("/me")), role: "read" } }));
    await page.route(`**/api/v1/bonds/${other}/notes`, (route) => route.fulfill({ json: { notes: [
        { topic: "call", investor: "someone", subject: "", value: "called", user: "li", time: "2024-11-29T08:00:00.000Z" }] } }));
    await go(page, hashOf("bonds", other));
    assert.equal(await page.locator(".call").count(), 0);
    await page.focus("[data-row='1'] [data-item]");
    await page.waitForSelector(".card");
    assert.equal(await page.locator(".card .choice").count(), 0);
    await page.keyboard.press("c");
    await page.keyboard.press("1");
    assert.equal(await page.locator(".note, .verdict-sign, .row.marked-called").count(), 0);
    assert.equal(await page.locator(".page-link").filter({ hasText: "Side by side" }).count(), 0);
    await go(page, "#/study", ".failure");
    assert.match(await page.locator(".failure").textContent(), /may not/);
});

test("two clicks while the desk is slow: the last one stays", async (page) => {
    await go(page, hashOf("bonds", bond));
    const bodies = [];
    let release;
    const held = new Promise((resolve) => { release = resolve; });
    await page.route("**/api/v1/notes", async (route) => {
        bodies.push(route.request().postDataJSON().value);
        await held;
        await route.continue();
    });
    await page.locator("[data-row='5'] .call.called").click();
    await page.locator("[data-row='5'] .call.declined").click();
    assert.equal(await page.locator("[data-row='5'] .call[aria-pressed=true]").textContent(), "Declined");
    assert.deepEqual(bodies, ["called"], "one after the other");
    const last = page.waitForResponse((answer) => answer.url().endsWith("/notes") && answer.request().postDataJSON()?.value === "declined");
    release();
    await last;
    assert.equal(await page.locator("[data-row='5'] .call[aria-pressed=true]").textContent(), "Declined");
    await page.locator("[data-row='5'] .call.declined").click();
    await until(page, () => !document.querySelector("[data-row='5'] .call[aria-pressed=true]"));
});

await run();
