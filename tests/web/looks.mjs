// Two languages, and categories that need no colour.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { api, go, hashOf, listedBonds, picture, run, test, until } from "./page.mjs";

const [bond] = await listedBonds();
const CATEGORIES = ["preference", "attribute", "ability"];
const words = Object.fromEntries(["en", "zh"].map((code) => [code,
    JSON.parse(readFileSync(new URL(`../../services/desk/web/src/words/${code}.json`, import.meta.url), "utf8"))]));

/** What a category is told by besides its colour. */
const signs = (page) => page.evaluate((categories) => categories.map((category) => {
    const tag = document.querySelector(`.legend .tag.${category}`);
    return { icon: tag.querySelector("path").getAttribute("d"), border: getComputedStyle(tag).borderTopStyle, words: tag.textContent, width: tag.querySelector("svg").getBoundingClientRect().width };
}), CATEGORIES);

function assertDistinct(all) {
    for (const what of ["icon", "border", "words"]) {
        assert.equal(new Set(all.map((one) => one[what])).size, CATEGORIES.length, `each category has its own ${what}`);
    }
    assert.ok(all.every(({ border, width }) => border !== "none" && width > 0));
}

test("the same key has words in both languages, with the same blanks", async () => {
    assert.deepEqual(Object.keys(words.en).sort(), Object.keys(words.zh).sort());
    const blanks = (entry) => [...new Set(JSON.stringify(entry).match(/\{\w+\}/g) ?? [])].filter((blank) => blank !== "{n}").sort();
    for (const key of Object.keys(words.en)) {
        assert.deepEqual(blanks(words.zh[key]), blanks(words.en[key]), key);
    }
});

test("in grey and in forced colours the categories differ", async (page) => {
    await go(page, hashOf("bonds", bond));
    assertDistinct(await signs(page));
    for (const category of CATEGORIES) {
        for (const tag of await page.locator(`.rows .tag.${category}`).all()) {
            assert.match(await tag.locator(".hidden").first().textContent(), new RegExp(category));
            break;
        }
    }
    await page.evaluate(() => document.documentElement.style.setProperty("filter", "grayscale(1)"));
    await picture(page, "grey");
    await page.evaluate(() => document.documentElement.style.removeProperty("filter"));
    await page.emulateMedia({ forcedColors: "active" });
    assertDistinct(await signs(page));
    await page.focus("[data-row='1'] [data-item]");
    await page.waitForSelector(".card");
    await picture(page, "forced-colours");
});

test("text of tags and of the page has the contrast of WCAG AA", async (page) => {
    await go(page, hashOf("bonds", bond));
    const low = await page.evaluate(() => {
        const channel = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
        const light = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
        const ground = (element) => {
            for (let at = element; at; at = at.parentElement) {
                const colour = numbers(getComputedStyle(at).backgroundColor);
                if (colour.length === 3 || colour[3] === 1) {
                    return colour;
                }
            }
            return [255, 255, 255];
        };
        const found = new Set();
        for (const element of document.querySelectorAll(".sales *")) {
            if ([...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) && !element.closest(".hidden, :disabled")) {
                const [a, b] = [light(numbers(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
                if ((a + 0.05) / (b + 0.05) < 4.5) {
                    found.add(`${element.className || element.tagName}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
                }
            }
        }
        return [...found];
    });
    assert.deepEqual(low, []);
});

test("Chinese and English: words, reasons, html lang, remembered, in the address", async (page) => {
    await go(page, hashOf("bonds", bond));
    assert.equal(await page.getAttribute("html", "lang"), "en");
    const tag = await page.locator("[data-row='1'] .tag-text").first().textContent();
    await page.click("button.language[lang=zh-CN]");
    await page.waitForSelector("html[lang=zh-CN]");
    await until(page, (former) => document.querySelector("[data-row='1'] .tag-text")?.textContent !== former, tag);
    const { investors } = await api(`/bonds/${bond}/recommendations?lang=zh`);
    assert.equal(await page.locator("[data-row='1'] .tag-text").first().textContent(), investors[0].reasons[0].tag);
    assert.equal(await page.locator(".page-link[aria-current]").textContent(), words.zh["page.bonds"]);
    assert.match(page.url(), /lang=zh/);
    assert.match(await page.title(), /债券/);
    await picture(page, "chinese");
    const untranslated = await page.evaluate(() => [...document.querySelectorAll("main *, header *")].flatMap((element) =>
        [...element.childNodes].filter((node) => node.nodeType === 3 && /^[a-z]+\.[a-z_.]+$/.test(node.data.trim())).map((node) => node.data)));
    assert.deepEqual(untranslated, []);
    await go(page, "#/bonds", ".bond");
    assert.equal(await page.getAttribute("html", "lang"), "zh-CN", "remembered without the address");
    await go(page, "#/bonds?lang=en", null);
    await page.waitForSelector("html[lang=en]");
});

test("nothing moves for those who asked for less motion", async (page) => {
    await page.emulateMedia({ reducedMotion: "reduce" });
    await go(page, hashOf("bonds", bond));
    await page.keyboard.press("f");
    await page.waitForSelector(".what-if");
    await page.evaluate(() => {
        Element.prototype.animate = () => {
            throw new Error("a row was moved");
        };
    });
    const select = page.locator(".editor select").first();
    const now = await select.inputValue();
    const values = await select.locator("option").evaluateAll((options) => options.map(({ value }) => value));
    await select.selectOption(values.findLast((value) => value !== now && value !== "-1"));
    await page.waitForSelector("[data-what-if]");
    assert.deepEqual(await page.evaluate(() => document.getAnimations().length), 0);
});

for (const [width, height] of [[1920, 1080], [1280, 800], [768, 1024], [390, 844]]) {
    test(`nothing is cut off or runs out of the page at ${width} x ${height}`, async (page) => {
        await page.setViewportSize({ width, height });
        await go(page, hashOf("bonds", bond));
        const wide = await page.evaluate(() => [...document.querySelectorAll("html, main, .chosen, .investors, .rows .row, .rows .why")]
            .filter((element) => element.scrollWidth > element.clientWidth + 1).map((element) => element.className || element.tagName));
        assert.deepEqual(wide, []);
        await picture(page, `list-${width}`);
    });
}

for (const hash of ["#/bonds", "#/pairs", "#/study", "#/quality", "#/operations"]) {
    test(`${hash} ends where its text ends: nothing but that scrolls`, async (page) => {
        await page.setViewportSize({ width: 420, height: 700 });
        await go(page, hash, "main *");
        await page.waitForLoadState("networkidle");
        assert.equal(await page.evaluate(() => document.scrollingElement.scrollHeight), 700);
    });
}

await run();
