// A real browser on a real desk: what the tests of the page share.
//   node FILE STATE MODULES    STATE: what place.py wrote; MODULES: where npm put playwright-core and axe-core
// Every test also fails on a message on the console that it did not expect, on an error nobody caught, and on a request to another host.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [state, modules] = process.argv.slice(2).map((path) => resolve(path));
const chromiumPath = [process.env.CHROMIUM, "/usr/bin/chromium"].find((path) => path && existsSync(path));
if (!existsSync(state) || !existsSync(join(modules, "playwright-core")) || !chromiumPath) {
    console.log(`skipped: ${!chromiumPath ? "no chromium" : !existsSync(state) ? "no installation was begun" : "no playwright-core"}`);
    process.exit(77);
}
export const place = JSON.parse(readFileSync(state, "utf8"));
export const require = createRequire(join(modules, "web.js"));
const { chromium } = require("playwright-core");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
const tests = [];

export function test(name, body, options = {}) {
    tests.push({ name, body, options });
}

export async function api(path, options) {
    const answer = await fetch(`${place.page}/api/v1${path}`, options);
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return answer.json();
}

/** Upcoming bonds whose list has its reasons, the next issue first; those with hostile names only if asked for. */
export async function listedBonds({ hostile = false } = {}) {
    const { bonds } = await api("/bonds?state=upcoming&sort=issue&limit=1000");
    return bonds.filter(({ id, list }) => list && !list.pending && !list.dead && (hostile || /^\w+$/.test(id))).map(({ id }) => id);
}

export const hashOf = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;

/** Open the page at a hash and wait until its first list, if it has one, is there. */
export async function go(page, hash, wait = ".rows [data-item=tag]") {
    await page.goto(`${place.page}/${hash}`);
    if (wait) {
        await page.waitForSelector(wait);
    }
}

/** A screenshot for people to look at, if BOOKRUNNER_SCREENSHOTS names a directory. */
export async function picture(page, name) {
    const directory = process.env.BOOKRUNNER_SCREENSHOTS;
    if (directory) {
        mkdirSync(directory, { recursive: true });
    }
    return page.screenshot(directory ? { path: join(directory, `${name}.png`) } : {});
}

/** Until `condition` holds: asked at each frame by the browser, at most 5 s. */
export async function until(page, condition, argument) {
    await page.waitForFunction(condition, argument, { timeout: 5000 });
}

/** Do `action` and wait until the desk has acknowledged the note that comes of it. */
export async function saved(page, action) {
    const acknowledged = page.waitForResponse((answer) => answer.url().endsWith("/notes") && answer.request().method() === "POST");
    await action();
    assert.equal((await acknowledged).status(), 201);
}

/** axe runs in a world of its own: the page's policy lets no script in, and this goes past it by the browser's debugger, not by the page. */
export async function assertAccessible(page, state) {
    const session = await page.context().newCDPSession(page);
    await session.send("Runtime.evaluate", { expression: readFileSync(require.resolve("axe-core/axe.min.js"), "utf8") });
    const violations = await page.evaluate(async () => {
        const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
        return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`);
    });
    assert.deepEqual(violations, [], state);
}

/**
 * Let `answers` stand in for what the desk says: {"/queue": body, "/study": (request, url) => body or {status, body}}. A body of undefined is 204. Returns
 * what was sent: [{path, body}] of the POSTs.
 */
export async function standIn(page, answers) {
    const sent = [];
    await page.route("**/api/v1/**", async (route) => {
        const request = route.request();
        const url = new URL(request.url());
        const path = decodeURIComponent(url.pathname.slice("/api/v1".length));
        if (!Object.hasOwn(answers, path)) {
            await route.fallback();
            return;
        }
        if (request.method() === "POST") {
            sent.push({ path, body: request.postDataJSON(), key: request.headers()["idempotency-key"] });
        }
        const answer = typeof answers[path] === "function" ? await answers[path](request, url) : answers[path];
        const { status, body } = answer !== undefined && Object.hasOwn(answer, "status") ? answer : { status: answer === undefined ? 204 : 200, body: answer };
        await route.fulfill(body === undefined ? { status } : { status, json: body });
    });
    return sent;
}

/** Scripts and markup in names that must stay text. */
export const HOSTILE = ["<script>document.title='taken'</script>", "<img src=x onerror=\"document.title='taken'\">", "\u202egnp.rotsevni\u202c \u05d0\u05d1\u05d2", "W".repeat(10000)];

function watch(page, expected) {
    const seen = [];
    page.on("console", (message) => {
        const text = message.text();
        if (!expected.some((pattern) => pattern.test(text))) {
            seen.push(`console ${message.type()}: ${text}`);
        }
    });
    page.on("pageerror", (error) => seen.push(`uncaught: ${error.stack}`));
    page.on("dialog", async (dialog) => {
        seen.push(`a dialog of the browser: ${dialog.message()}`);
        await dialog.dismiss();
    });
    page.on("request", (request) => {
        const url = request.url();
        if (!url.startsWith(`${place.page}/`) && !/^(data|blob):/.test(url)) {
            seen.push(`a request to ${url}`);
        }
    });
    return seen;
}

async function runOne(browser, { name, body, options }) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options.context });
    const page = await context.newPage();
    page.setDefaultTimeout(8000);
    const seen = watch(page, options.expected ?? []);
    try {
        await body(page, context);
        assert.deepEqual(seen, []);
        console.log(`ok      ${name}`);
        return true;
    } catch (error) {
        console.log(`not ok  ${name}\n${error.stack}\n${seen.join("\n")}`);
        await picture(page, `failed ${name.replace(/\W+/g, " ")}`).catch(() => {});
        return false;
    } finally {
        await context.close();
    }
}

/** Run what test() was given; the process ends with 1 if one failed. */
export async function run() {
    const browser = await chromium.launch({ executablePath: chromiumPath, args: FLAGS });
    let failed = 0;
    for (const one of tests) {
        failed += (await runOne(browser, one)) ? 0 : 1;
    }
    await browser.close();
    console.log(`${tests.length} tests, ${failed} failed`);
    process.exit(failed || tests.length === 0 ? 1 : 0);
}
