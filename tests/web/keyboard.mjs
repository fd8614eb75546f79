// Everything by keys: from the search box to a marked call, and the dialogs.
import assert from "node:assert/strict";
import { api, go, hashOf, listedBonds, run, saved, test, until } from "./page.mjs";

const [first, second, third] = await listedBonds();
const focused = (page) => page.evaluate(() => {
    const item = document.activeElement.closest("[data-item]");
    const row = document.activeElement.closest("[data-row]");
    return { row: row ? Number(row.dataset.row) : 0, item: item?.dataset.item ?? "", at: row && item ? [...row.querySelectorAll("[data-item]")].indexOf(item) : -1,
        tag: document.activeElement.tagName, bond: document.activeElement.dataset.bond };
});
const callOf = async (bond, investor) => (await api(`/bonds/${bond}/notes`)).notes.find((note) => note.topic === "call" && note.investor === investor)?.value ?? "";

test("from the search box to a called mark and back", async (page) => {
    await go(page, "#/bonds", ".bond");
    await page.keyboard.press("/");
    assert.equal((await focused(page)).tag, "INPUT");
    await page.keyboard.type(first);
    await until(page, (id) => document.querySelectorAll(".bond").length === 1 && document.querySelector(".bond").dataset.bond === id, first);
    await page.keyboard.press("ArrowDown");
    assert.equal((await focused(page)).bond, first);
    await page.keyboard.press("Enter");
    await until(page, () => document.activeElement.closest("[data-row='1']"));
    await page.keyboard.press("ArrowDown");
    await saved(page, () => page.keyboard.press("c"));
    await page.waitForSelector("[data-row='2'] .call.called[aria-pressed=true]");
    const investor = await page.locator("[data-row='2'] .name bdi").textContent();
    assert.equal(await callOf(first, investor), "called");
    assert.equal((await focused(page)).row, 2, "the focus stays where it was");
    await page.reload();
    await page.waitForSelector("[data-row='2'] .call.called[aria-pressed=true]");
    await page.focus("[data-row='2'] [data-item]");
    await saved(page, () => page.keyboard.press("i"));
    await page.waitForSelector("[data-row='2'] .call.interested[aria-pressed=true]");
    await saved(page, () => page.click(".note button:has-text('Undo')"));
    await page.waitForSelector("[data-row='2'] .call.called[aria-pressed=true]");
    await page.focus("[data-row='2'] [data-item]");
    await saved(page, () => page.keyboard.press("u"));
    await until(page, () => !document.querySelector("[data-row='2'] .call[aria-pressed=true]"));
    assert.equal(await callOf(first, investor), "");
});

test("arrows, Home and End inside a row and between rows", async (page) => {
    await go(page, hashOf("bonds", first));
    await page.focus("[data-row='1'] [data-item]");
    await page.keyboard.press("ArrowRight");
    assert.deepEqual(await focused(page).then(({ row, at }) => [row, at]), [1, 1]);
    await page.keyboard.press("ArrowDown");
    assert.deepEqual(await focused(page).then(({ row, at }) => [row, at]), [2, 1]);
    await page.keyboard.press("End");
    assert.equal((await focused(page)).item, "declined");
    await page.keyboard.press("Home");
    assert.deepEqual(await focused(page).then(({ row, at }) => [row, at]), [2, 0]);
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowLeft");
    assert.deepEqual(await focused(page).then(({ row, at }) => [row, at]), [1, 0], "there is nothing before the first");
    assert.equal(await page.locator("[data-row='1'] [tabindex='0']").count(), 1, "Tab reaches a row once");
});

test("bonds one after the other with J and K, the list follows", async (page) => {
    await go(page, hashOf("bonds", first));
    await page.keyboard.press("j");
    await until(page, (id) => document.querySelector("h1 bdi")?.textContent === id, second);
    await page.keyboard.press("j");
    await until(page, (id) => document.querySelector("h1 bdi")?.textContent === id, third);
    await page.keyboard.press("k");
    await until(page, (id) => document.querySelector("h1 bdi")?.textContent === id, second);
    assert.ok(await page.locator(`.bond[aria-current=true][data-bond="${second}"]`).count());
});

test("the keys are listed under ?, and focus goes back", async (page) => {
    await go(page, hashOf("bonds", first));
    await page.waitForLoadState("networkidle");
    const marks = () => page.locator(".call[aria-pressed=true]").evaluateAll((all) => all.map((one) => one.className));
    const before = await marks();
    await page.focus("[data-row='1'] [data-item]");
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open] kbd");
    await page.keyboard.press("c");
    await page.keyboard.press("Escape");
    await until(page, () => !document.querySelector("dialog"));
    assert.equal((await focused(page)).row, 1);
    assert.deepEqual(await marks(), before, "keys mean nothing behind a dialog");
});

test("why not: an investor is searched, chosen and explained", async (page) => {
    const all = (await api("/investors?limit=1000")).investors.map(({ id }) => id);
    const { investors } = await api(`/bonds/${first}/recommendations`);
    const absent = all.find((id) => /^\w+$/.test(id) && !investors.some((one) => one.id === id));
    await go(page, hashOf("bonds", first));
    await page.keyboard.press("w");
    await page.waitForSelector("dialog[open] .found button");
    await page.keyboard.type(absent);
    await until(page, (id) => document.querySelector(".found bdi")?.textContent === id, absent);
    await page.keyboard.press("Enter");
    await page.waitForSelector(".why-place");
    assert.match(await page.locator(".why-place").textContent(), /Ranked \d+ of \d+|Not to be recommended/);
    await page.locator(".why-search input").fill(investors[2].id);
    await until(page, (id) => document.querySelector(".found bdi")?.textContent === id, investors[2].id);
    await page.locator(".why-search input").press("Enter");
    await page.locator(".why-place", { hasText: "On the list" }).waitFor();
    await page.locator("dialog button", { hasText: "Show in the list" }).press("Enter");
    await until(page, () => !document.querySelector("dialog") && document.activeElement.closest("[data-row='3']"));
});

test("what if: a feature is changed, the list moves, reset brings it back", async (page) => {
    await go(page, hashOf("bonds", first));
    const before = await page.locator(".rows .chance-number").allTextContents();
    await page.keyboard.press("f");
    await page.waitForSelector(".what-if");
    const select = page.locator(".editor select").first();
    const values = await select.locator("option").evaluateAll((options) => options.map(({ value }) => value));
    const now = await select.inputValue();
    await select.selectOption(values.findLast((value) => value !== now && value !== "-1"));
    await page.waitForSelector("[data-what-if]");
    assert.equal(await page.locator(".rows .row").count(), 50);
    assert.ok(await page.locator(".moved").count() >= 50, "each row says where it stood");
    assert.notDeepEqual(await page.locator(".rows .chance-number").allTextContents(), before);
    assert.equal(await page.locator(".feature.changed").count(), 1);
    await page.click(".what-if button:has-text('Reset')");
    await until(page, () => !document.querySelector("[data-what-if]"));
    assert.deepEqual(await page.locator(".rows .chance-number").allTextContents(), before);
    await page.locator(".what-if input[type=search]").press("Escape");
    await page.waitForSelector(".bonds");
});

await run();
