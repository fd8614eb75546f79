// From the answer to fifty investors with their tags on the screen: at most 300 ms. The best of several openings, since what else the machine
// does can only add.
import assert from "node:assert/strict";
import { go, hashOf, listedBonds, run, test } from "./page.mjs";

const LIMIT_MS = 300;
const OPENINGS = 6;

test(`a list of 50 is on the screen within ${LIMIT_MS} ms of its answer`, async (page) => {
    const bonds = (await listedBonds()).slice(0, 3);
    const times = [];
    for (let i = 0; i < OPENINGS; i++) {
        await page.goto("about:blank");
        await go(page, hashOf("bonds", bonds[i % bonds.length]));
        await page.waitForFunction(() => performance.getEntriesByName("list-shown").length > 0);
        assert.equal(await page.locator(".rows .row").count(), 50);
        assert.ok(await page.locator(".rows .tag:not(.against)").count() >= 300);
        times.push(await page.evaluate(() => performance.getEntriesByName("list-shown")[0].duration));
    }
    console.log(`        ${times.map((time) => time.toFixed(0)).join(", ")} ms`);
    assert.ok(Math.min(...times) < LIMIT_MS, `the best is ${Math.min(...times)} ms`);
});

await run();
