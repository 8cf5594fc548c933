// Microsoft's DTDL parser, compiled to WebAssembly: says of each file how many elements its models have, or what is wrong.
import { getInterop } from "@digicatapult/dtdl-parser";
import fs from "node:fs";

const parser = await getInterop();
const found = {};
for (const file of process.argv.slice(2)) {
  try {
    found[file] = { elements: Object.keys(JSON.parse(parser.parse(fs.readFileSync(file, "utf8")))).length };
  } catch (error) {
    found[file] = { wrong: error.message };
  }
}
console.log(JSON.stringify(found));
process.exit(0);
