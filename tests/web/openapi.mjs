// The desk's openapi.json is one by the rules of OpenAPI 3.1, and every reference in it leads somewhere: what swagger-parser says.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [, , file, modules] = process.argv;
const require = createRequire(pathToFileURL(`${modules}/`));
const SwaggerParser = require("@apidevtools/swagger-parser");

async function problem(document) {
    try {
        await SwaggerParser.validate(structuredClone(document));
        return "";
    } catch (error) {
        return error.message;
    }
}

const document = JSON.parse(await readFile(file, "utf8"));
const found = await problem(document);
if (found !== "") {
    throw new Error(found);
}
// It must see what is wrong.
const breaks = {
    "a reference to nothing": (d) => { d.paths["/me"].get.responses["401"] = { $ref: "#/components/responses/Nothing" }; },
    "a response without a description": (d) => { delete d.paths["/bonds"].get.responses["200"].description; },
    "a parameter without a place": (d) => { delete d.components.parameters.limit.in; },
    "another version": (d) => { d.openapi = "4.0.0"; },
};
for (const [name, change] of Object.entries(breaks)) {
    const broken = structuredClone(document);
    change(broken);
    if ((await problem(broken)) === "") {
        throw new Error(`not seen: ${name}`);
    }
}
console.log(`${Object.keys(document.paths).length} paths are OpenAPI ${document.openapi}; ${Object.keys(breaks).length} breaks are seen`);
