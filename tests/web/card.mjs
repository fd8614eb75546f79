// The card of a reason: shown by pointer and by focus, stays while pointed at, closes on Escape; verdicts on reasons.
import assert from "node:assert/strict";
import { api, go, hashOf, listedBonds, picture, run, saved, test, until } from "./page.mjs";

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
