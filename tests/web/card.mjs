// The card of a reason: shown by pointer and by focus, stays while pointed at, closes on Escape; verdicts on reasons; past bids in the same manner.
import assert from "node:assert/strict";
import { api, assertAccessible, go, hashOf, HOSTILE, listedBonds, picture, run, saved, standIn, test, until } from "./page.mjs";

const [bond] = await listedBonds();
const { investors } = await api(`/bonds/${bond}/recommendations`);
const card = (page) => page.locator(".card");
const gone = (page) => until(page, () => !document.querySelector(".card"));

test("hover shows the whole sentence with its numbers, and stays while it is pointed at", async (page) => {
    await page.clock.install();
    await go(page, hashOf("bonds", bond));
    const tag = page.locator("[data-row='1'] .tag").nth(1);
    await tag.hover();
    await card(page).waitFor();
    const reason = investors[0].reasons[1];
    const text = await card(page).textContent();
    assert.ok(text.includes(reason.sentence));
    assert.ok(text.includes(reason.bids.toLocaleString("en-GB")), "backing");
    assert.match(text, new RegExp(`${investors[0].support.matching}, on average|${investors[0].support.matching}, \\d`), "support");
    const box = await card(page).boundingBox();
    const from = await tag.boundingBox();
    await page.mouse.move(from.x + from.width / 2, from.y + from.height + 1, { steps: 4 });
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 8 });
    await page.clock.runFor(2000); // longer than any delay of the card
    assert.equal(await card(page).count(), 1, "it stays while the pointer is on it");
    await picture(page, "card");
    await page.mouse.move(5, 5);
    await gone(page);
});

test("Escape closes a hovered card without moving the pointer or the focus", async (page) => {
    await go(page, hashOf("bonds", bond));
    await page.locator("[data-row='2'] .tag").first().hover();
    await card(page).waitFor();
    const before = await page.evaluate(() => document.activeElement.tagName);
    await page.keyboard.press("Escape");
    await gone(page);
    assert.equal(await page.evaluate(() => document.activeElement.tagName), before);
});

test("focus shows it and says it, leaving hides it, Escape hides it", async (page) => {
    await go(page, hashOf("bonds", bond));
    await page.focus("[data-row='1'] [data-item]");
    await card(page).waitFor();
    const said = await page.evaluate(() => document.getElementById(document.activeElement.getAttribute("aria-describedby")).textContent);
    assert.ok(said.includes(investors[0].reasons[0].sentence));
    await page.keyboard.press("Escape");
    await gone(page);
    assert.equal(await page.evaluate(() => document.activeElement.closest("[data-row]").dataset.row), "1", "the focus stays");
    await page.keyboard.press("ArrowRight");
    await card(page).waitFor();
    await page.keyboard.press("End");
    await gone(page);
});

test("the strongest reason against has its own sentence", async (page) => {
    const i = investors.findIndex(({ against }) => against);
    await go(page, hashOf("bonds", bond));
    await page.locator(`[data-row='${i + 1}'] .tag.against`).hover();
    await card(page).waitFor();
    assert.ok((await card(page).textContent()).includes(investors[i].against.sentence));
});

const before = investors.findIndex(({ past_bids }) => past_bids.length > 0);
const pastTags = (page) => page.locator(`[data-row='${before + 1}'] .tag.past`);

test("past bids stand under the reasons, at most three, each with its card", async (page) => {
    assert.ok(before >= 0, "somebody bid before");
    await go(page, hashOf("bonds", bond));
    const { past_bids } = investors[before];
    assert.equal(await pastTags(page).count(), past_bids.length);
    assert.ok(past_bids.length <= 3);
    assert.match(await page.locator(`[data-row='${before + 1}'] .past-bids`).innerText(), new RegExp(`Because they bid on[\\s\\S]*${past_bids[0].issuer}`));
    const reasons = await page.locator(`[data-row='${before + 1}'] .tag:not(.past)`).last().boundingBox();
    assert.ok((await pastTags(page).first().boundingBox()).y >= reasons.y + reasons.height, "below them");
    await pastTags(page).last().hover();
    await card(page).waitFor();
    const text = await card(page).textContent();
    assert.ok(text.includes(past_bids.at(-1).sentence), text);
    assert.ok(past_bids.at(-1).weight === null || text.includes(`${Math.round(past_bids.at(-1).weight * 100)} %`), text);
    assert.equal(await card(page).locator(".choice").count(), 0, "verdicts are on reasons");
    await picture(page, "past");
});

test("past bids are reached by the arrows, said on focus, and closed by Escape; a verdict's key does nothing to them", async (page) => {
    await go(page, hashOf("bonds", bond));
    await page.focus(`[data-row='${before + 1}'] [data-item]`);
    const { reasons, against, past_bids } = investors[before];
    for (let i = 0; i < reasons.length + (against ? 1 : 0); i++) {
        await page.keyboard.press("ArrowRight");
    }
    assert.equal(await page.evaluate(() => document.activeElement.dataset.category), "past");
    await card(page).waitFor();
    const said = await page.evaluate(() => document.getElementById(document.activeElement.getAttribute("aria-describedby")).textContent);
    assert.ok(said.includes(past_bids[0].sentence));
    assert.equal(await page.evaluate(() => document.activeElement.closest("[role=group]").getAttribute("aria-label")), "Because they bid on");
    await page.keyboard.press("1");
    assert.equal((await api(`/bonds/${bond}/notes`)).notes.filter(({ topic }) => topic === "reason").length, 0);
    await page.keyboard.press("Escape");
    await gone(page);
    assert.equal(await page.evaluate(() => document.activeElement.dataset.category), "past", "the focus stays");
    assert.equal(await page.locator(`[data-row='${before + 1}'] [data-item][tabindex='0']`).count(), 1, "Tab reaches the row once");
    await assertAccessible(page, "past bids");
});

test("past bids with votes say how many, in Chinese, too; names stay text", async (page) => {
    const changed = await api(`/bonds/${bond}/recommendations?lang=zh`);
    changed.investors[0].past_bids = [{ issuer: HOSTILE[0], bids: 2, last: "2024-11-01", weight: 0.25, same_issuer: false, sentence: `曾投标 ${HOSTILE[0]}`,
        votes: { valid: 4, of: 5 } }, { issuer: "E1", bids: 1, last: "2024-10-01", weight: null, same_issuer: true, sentence: "曾投标 E1", votes: null }];
    await standIn(page, { [`/bonds/${bond}/recommendations`]: changed });
    await go(page, `${hashOf("bonds", bond)}?lang=zh`, "[data-row='1'] .tag.past");
    const tags = page.locator("[data-row='1'] .tag.past");
    assert.match(await page.locator("[data-row='1'] .past-bids").innerText(), /因为曾投标/);
    await tags.first().hover();
    await card(page).waitFor();
    assert.match(await card(page).innerText(), /曾投标[\s\S]*<script>[\s\S]*25%[\s\S]*5 人中 4 人/);
    await tags.last().hover();
    await until(page, () => document.querySelector(".card")?.innerText.includes("同一发行人"));
    assert.equal(await card(page).locator("dt").count(), 0, "nothing is known but the bids");
    assert.notEqual(await page.title(), "taken");
});

test("a verdict by key and by pointer is kept; the same again takes it back", async (page) => {
    await go(page, hashOf("bonds", bond));
    await page.focus("[data-row='3'] [data-item]");
    await saved(page, () => page.keyboard.press("1"));
    await page.waitForSelector("[data-row='3'] .tag.is-useful");
    const pressed = card(page).locator("[aria-pressed=true]");
    assert.match(await pressed.textContent(), /useful/);
    const held = (await api(`/bonds/${bond}/notes`)).notes.filter(({ topic }) => topic === "reason");
    assert.deepEqual(held.map(({ investor, subject, value }) => [investor, subject, value]), [[investors[2].id, investors[2].reasons[0].field, "useful"]]);
    await saved(page, () => card(page).locator(".choice", { hasText: "wrong" }).click());
    await page.waitForSelector("[data-row='3'] .tag.is-wrong");
    await saved(page, () => page.keyboard.press("2"));
    await until(page, () => !document.querySelector("[data-row='3'] .verdict-sign"));
    assert.deepEqual((await api(`/bonds/${bond}/notes`)).notes.filter(({ topic }) => topic === "reason"), []);
});

test("what the desk does not take goes back, and is said", async (page) => {
    await go(page, hashOf("bonds", bond));
    await page.route("**/api/v1/notes", (route) => route.fulfill({ status: 503, contentType: "application/problem+json",
        body: JSON.stringify({ title: "Service Unavailable", status: 503, detail: "the ingester is away" }) }));
    await page.focus("[data-row='4'] [data-item]");
    await page.keyboard.press("c");
    await page.locator(".note.problem").waitFor();
    assert.equal(await page.locator("[data-row='4'] .call[aria-pressed=true]").count(), 0);
    assert.match(await page.locator(".note.problem").textContent(), /Not saved/);
}, { expected: [/status of 503/] });

await run();
