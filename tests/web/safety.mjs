// Names are text, whatever they hold; the policy of the page is strict and kept; nothing is asked of another host.
import assert from "node:assert/strict";
import { api, go, hashOf, listedBonds, picture, place, run, test } from "./page.mjs";

const [bond] = await listedBonds();
const whole = await api(`/bonds/${bond}/recommendations?lang=en`);
const LONG = "W".repeat(10000);
const HOSTILE = ["<script>document.title='taken'</script>", "<img src=x onerror=\"document.title='taken'\">", "\u202Egnp.rotsevni\u202C \u05D0\u05D1\u05D2",
    "javascript:document.title='taken'", "\"><svg/onload=document.title='taken'>", LONG, "{{constructor.constructor('document.title=1')()}}", "  a  \u0000\u0007\t\n b  ",
    "\u{1F3E6}".repeat(60), "ก็็็็็็็็็็็็็็็็็็็็".repeat(20)];

async function assertHarmless(page) {
    const state = await page.evaluate(() => ({ title: document.title, made: document.querySelectorAll("main script, main img, main svg[onload]").length,
        wide: [...document.querySelectorAll("html, .chosen, .bonds-list, .rows .row, .card, dialog")].filter((element) => element.scrollWidth > element.clientWidth + 1).map((element) => element.className),
        tall: [...document.querySelectorAll(".rows .row")].map((row) => row.offsetHeight).filter((height) => height > 420),
        head: document.querySelector(".bond-head")?.offsetHeight ?? 0 }));
    assert.doesNotMatch(state.title, /taken/);
    assert.equal(state.made, 0);
    assert.deepEqual(state.wide, [], "nothing runs out of its box");
    assert.deepEqual(state.tall, [], "no row grows over the screen");
    assert.ok(state.head < 420, `the head of the bond is ${state.head} high`);
}

test("hostile names of the market itself: bond, issuer, investors", async (page) => {
    await go(page, hashOf("bonds", place.hostile_bond));
    assert.equal(await page.locator("h1 bdi").textContent(), place.hostile_bond);
    await assertHarmless(page);
    const names = await page.locator(".rows .name bdi").allTextContents();
    assert.ok(place.hostile_investors.filter((name) => names.includes(name)).length >= 2, "they are on the list, as they are");
    const at = names.findIndex((name) => place.hostile_investors.includes(name));
    await page.focus(`[data-row='${at + 1}'] [data-item]`);
    const kept = page.waitForResponse((answer) => answer.url().endsWith("/notes") && answer.request().method() === "POST");
    await page.keyboard.press("c");
    assert.equal((await kept).status(), 201);
    const { notes } = await api(`/bonds/${encodeURIComponent(place.hostile_bond)}/notes`);
    assert.deepEqual(notes.map(({ investor, value }) => [investor, value]), [[names[at], "called"]]);
    await picture(page, "hostile");
});

test("hostile texts anywhere in a list, 10,000 characters among them", async (page) => {
    const reason = (text) => ({ ...whole.investors[0].reasons[0], tag: text, sentence: text, value: text, category: text });
    const investors = whole.investors.map((one, i) => ({ ...one, id: `${HOSTILE[i % HOSTILE.length]}${i}`, reasons: HOSTILE.slice(0, 6).map(reason), against: reason(LONG) }));
    await page.route(`**/api/v1/bonds/${bond}/recommendations?*`, (route) => route.fulfill({ json: { ...whole, investors, snapshot: LONG, failure: LONG, stale: { reason: LONG } } }));
    await go(page, hashOf("bonds", bond));
    await assertHarmless(page);
    await page.focus("[data-row='1'] [data-item]");
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await page.waitForSelector(".card");
    const box = await page.locator(".card").boundingBox();
    assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= 1280 && box.y + box.height <= 800, "the card is on the screen");
    await assertHarmless(page);
    await picture(page, "hostile-list");
});

test("the policy of the page is strict, and the browser keeps it", async (page) => {
    const answer = await page.goto(`${place.page}/`);
    const policy = answer.headers()["content-security-policy"];
    for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]) {
        assert.ok(policy.includes(rule), rule);
    }
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    assert.equal(await page.evaluate(() => {
        try {
            document.body.insertAdjacentHTML("beforeend", "<b id=planted></b>");
        } catch (error) {
            return error.name;
        }
        return "taken";
    }), "TypeError");
    await page.evaluate(() => {
        const script = document.createElement("script");
        script.append("document.title = 'taken'");
        document.head.append(script);
    }).catch(() => {});
    assert.doesNotMatch(await page.title(), /taken/);
}, { expected: [/TrustedHTML|TrustedScript|Content Security Policy|inline script/i] });

test("what the browser keeps, and how: built files for good, the page never unasked", async (page) => {
    const answers = [];
    page.on("response", (answer) => answers.push([new URL(answer.url()).pathname, answer.headers()]));
    await go(page, "#/bonds", ".bond");
    const files = answers.filter(([path]) => path.startsWith("/assets/"));
    assert.ok(files.length >= 2);
    for (const [path, headers] of files) {
        assert.match(headers["cache-control"] ?? "", /immutable/, path);
        assert.equal(headers["x-content-type-options"], "nosniff", path);
    }
    assert.match(answers.find(([path]) => path === "/")[1]["cache-control"] ?? "", /no-cache/);
});

test("the list as a file: a link that works, in both encodings", async (page) => {
    await go(page, hashOf("bonds", bond));
    await page.click(".menu summary");
    const links = await page.locator(".menu-list a").evaluateAll((all) => all.map((link) => link.href));
    assert.equal(links.length, 2);
    const utf8 = await fetch(links[0]);
    const bytes = new Uint8Array(await utf8.arrayBuffer());
    assert.deepEqual([...bytes.slice(0, 3)], [0xef, 0xbb, 0xbf], "Excel needs the mark");
    assert.match(utf8.headers.get("content-disposition"), /attachment/);
    assert.match(utf8.headers.get("content-type"), /text\/csv/);
    assert.equal((await fetch(links[1])).status, 200);
});

await run();
