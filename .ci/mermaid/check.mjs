// Checks every Mermaid diagram in Markdown files with Mermaid's own parser.
//   node check.mjs FILE...
// Each file must contain a diagram. Run `npm ci` in this folder first.

import { readFileSync } from 'node:fs';
import { JSDOM } from 'jsdom';

const { window } = new JSDOM('');
globalThis.window = window;
globalThis.document = window.document;
const { default: mermaid } = await import('mermaid');

// A parser that accepts everything would prove nothing.
const broken = 'gantt\n    section Jobs\n    %%{ :done, no time\n    gantt : a : b';
if (await mermaid.parse(broken).then(() => true, () => false)) {
  throw new Error('a broken diagram was accepted');
}

const files = process.argv.slice(2);
let count = 0;
let failed = false;
for (const file of files) {
  const text = readFileSync(file, 'utf8');
  const diagrams = [...text.matchAll(/^```mermaid\n([^]*?)^```$/gm)].map((match) => match[1]);
  if (diagrams.length === 0) {
    console.error(`error: ${file}: no diagram`);
    failed = true;
  }
  for (const diagram of diagrams) {
    count += 1;
    try {
      await mermaid.parse(diagram);
    } catch (error) {
      failed = true;
      console.error(`error: ${file}: ${error.message ?? error}\n${diagram}`);
    }
  }
}
console.log(`${count} diagrams in ${files.length} files`);
process.exitCode = failed || count === 0 ? 1 : 0;
