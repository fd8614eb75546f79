// Bundles the page: node build.mjs --modules DIR/node_modules --out DIR
//
// Writes index.html, assets/NAME-HASH.{js,css} with a .gz twin of each, and THIRD_PARTY.txt with the licences of what was bundled. The same
// sources and modules give the same bytes.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, parse, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";

const { values } = parseArgs({ options: { modules: { type: "string" }, out: { type: "string" } } });
if (!values.modules || !values.out) {
    console.error("build.mjs: --modules and --out are needed");
    process.exit(2);
}
const here = dirname(fileURLToPath(import.meta.url));
const modules = resolve(values.modules);
const out = resolve(values.out);
const esbuild = createRequire(join(modules, "web.js"))("esbuild");

/** The packages below `modules` that the bundle holds a file of, by name. */
function packagesOf(inputs) {
    const names = new Set();
    for (const input of inputs) {
        const path = relative(modules, resolve(here, input));
        if (!path.startsWith("..")) {
            const [first, second] = path.split(sep);
            names.add(first.startsWith("@") ? `${first}/${second}` : first);
        }
    }
    return [...names].sort();
}

function licence(name) {
    const about = JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
    const file = readdirSync(join(modules, name)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(modules, name, file), "utf8").trim() : "";
    return `${name} ${about.version} (${about.license})\n\n${text}\n`;
}

const result = await esbuild.build({
    entryPoints: [join(here, "src/app.js")],
    absWorkingDir: here,
    nodePaths: [modules],
    outdir: join(out, "assets"),
    bundle: true,
    minify: true,
    format: "esm",
    target: "chrome109",
    charset: "utf8",
    legalComments: "none",
    metafile: true,
    write: false,
    logLevel: "warning",
});

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, "assets"), { recursive: true });
let index = readFileSync(join(here, "src/index.html"), "utf8");
for (const { path, contents } of result.outputFiles) {
    // By content alone: esbuild's own hash also takes in where the modules lie.
    const { name, ext } = parse(path);
    const hash = createHash("sha256").update(contents).digest("hex").slice(0, 12);
    const file = join(out, "assets", `${name}-${hash}${ext}`);
    writeFileSync(file, contents);
    writeFileSync(`${file}.gz`, gzipSync(contents, { level: 9 }));
    index = index.replace(ext === ".css" ? "STYLE" : "SCRIPT", `/assets/${basename(file)}`);
}
writeFileSync(join(out, "THIRD_PARTY.txt"), packagesOf(Object.keys(result.metafile.inputs)).map(licence).join("\n---\n\n"));
writeFileSync(join(out, "index.html"), index);
