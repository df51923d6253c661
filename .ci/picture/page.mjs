// Writes a page that shows a job summary as GitHub does: Markdown, style sheet, diagrams.
//   node page.mjs SUMMARY PAGE
// Run `npm ci` in this folder first; the page loads from it.

import { readFileSync, writeFileSync } from 'node:fs';
import { marked } from 'marked';

const [summary, page] = process.argv.slice(2);
const modules = new URL('node_modules/', import.meta.url);
const style = readFileSync(new URL('github-markdown-css/github-markdown-light.css', modules), 'utf8');

const renderer = {
  // Returning false leaves other blocks to the library.
  code: ({ lang, text }) => (lang === 'mermaid' ? `<div class="mermaid">${text.replaceAll('<', '&lt;')}</div>` : false),
};
const body = marked.use({ renderer }).parse(readFileSync(summary, 'utf8'), { gfm: true });

writeFileSync(
  page,
  `<!doctype html>
<meta charset="utf-8">
<style>${style}
  body { margin: 0; padding: 24px; background: #fff; }
  .markdown-body { border: 1px solid #d1d9e0; border-radius: 6px; padding: 24px; }
  .mermaid { margin-bottom: 16px; }
</style>
<article class="markdown-body">${body}</article>
<script src="${new URL('mermaid/dist/mermaid.min.js', modules)}"></script>
<script>
  // As for a reader who has opened the failed job's log.
  document.querySelectorAll('details').forEach((details) => { details.open = true; });
  mermaid.initialize({ startOnLoad: false, gantt: { useWidth: 900 } });
  mermaid.run().then(() => { document.body.dataset.height = document.documentElement.scrollHeight; });
</script>
`,
);
