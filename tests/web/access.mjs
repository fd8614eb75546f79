// axe in every state of the page, and what axe does not see: how many stops Tab makes, headings, landmarks, that updates take no focus.
import assert from "node:assert/strict";
import { api, assertAccessible, go, hashOf, listedBonds, run, test, until } from "./page.mjs";

const [bond] = await listedBonds();
test("axe finds nothing in any state", async (page) => {
    await go(page, "#/bonds", ".bond");
    await assertAccessible(page, "no bond chosen");
    await go(page, hashOf("bonds", bond));
    await assertAccessible(page, "a list");
    await page.focus("[data-row='1'] [data-item]");
    await page.waitForSelector(".card");
    await assertAccessible(page, "a card");
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open]");
    await assertAccessible(page, "the keys");
    await page.keyboard.press("Escape");
    await page.keyboard.press("w");
    await page.waitForSelector(".found button");
    await page.locator(".found button").first().click();
    await page.waitForSelector(".why-place");
    await assertAccessible(page, "why not");
    await page.keyboard.press("Escape");
    await page.keyboard.press("f");
    await page.waitForSelector(".editor");
    await assertAccessible(page, "what if");
    await go(page, "#/pairs", ".issuer");
    await assertAccessible(page, "a pair");
    await go(page, hashOf("bonds", "no such bond"), ".failure");
    await assertAccessible(page, "an error");
}, { expected: [/status of 404/] });

test("axe finds nothing in Chinese and on a narrow screen", async (page) => {
    await page.setViewportSize({ width: 390, height: 844 });
    await go(page, `${hashOf("bonds", bond)}?lang=zh`);
    await assertAccessible(page, "narrow, Chinese");
});

test("Tab stops once per investor and few times on the way", async (page) => {
    await go(page, hashOf("bonds", bond));
    const stops = await page.evaluate(() => {
        const shown = (element) => element.checkVisibility?.() ?? element.offsetParent !== null;
        const all = [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex]")]
            .filter((element) => element.tabIndex >= 0 && !element.disabled && (shown(element) || element.closest(".rows")));
        return { all: all.length, rows: all.filter((element) => element.closest(".rows")).length, bonds: all.filter((element) => element.matches(".bond")).length,
            before: all.findIndex((element) => element.closest(".rows")) };
    });
    assert.equal(stops.rows, 50);
    assert.equal(stops.bonds, 1);
    assert.ok(stops.before <= 32, `${stops.before} stops before the first investor`);
});

test("headings go down in order, landmarks have names, the first stop skips to the content", async (page) => {
    await go(page, hashOf("bonds", bond));
    const levels = await page.evaluate(() => [...document.querySelectorAll("h1, h2, h3, h4")].map((heading) => Number(heading.tagName[1])));
    assert.equal(levels.filter((level) => level === 1).length, 1);
    assert.equal(await page.locator("main").count(), 1);
    assert.ok(await page.locator("nav[aria-label]").count() >= 1);
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
});

test("a list that fills itself keeps the focus and the place, and says that it is there", async (page) => {
    const whole = await api(`/bonds/${bond}/recommendations?lang=en`);
    const bare = { ...whole, pending: true, investors: whole.investors.map((one) => ({ ...one, reasons: [], against: null, support: null })) };
    let asked = 0;
    await page.clock.install();
    await page.route(`**/api/v1/bonds/${bond}/recommendations?*`, (route) => route.fulfill({ json: ++asked < 3 ? bare : whole }));
    await go(page, hashOf("bonds", bond), ".tag-bone");
    await page.focus("[data-row='30'] .call.called");
    const before = await page.evaluate(() => document.activeElement.getBoundingClientRect().top);
    while (asked < 3) {
        await page.clock.runFor(2500);
        await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    }
    await page.waitForSelector("[data-row='30'] .tag");
    assert.equal(await page.evaluate(() => document.activeElement.closest("[data-row]")?.dataset.row), "30");
    const after = await page.evaluate(() => document.activeElement.getBoundingClientRect().top);
    assert.ok(Math.abs(after - before) < 400, `it moved by ${after - before} pixels`);
    await until(page, () => document.querySelector("[aria-live=polite].hidden").textContent.includes("The reasons are there"));
});

await run();
