// Writes a page that shows what a step printed, as GitHub does.
//   node page.mjs summary|log|annotations PAGE FILE...
//   node page.mjs checks PAGE FILE      FILE is GitHub's JSON of a commit's combined status
//   node page.mjs terminal PAGE FILE    FILE is what a program has written to a terminal of 100 columns
// Run `npm ci` in this folder first; the page loads from it.

import { readFileSync, writeFileSync } from 'node:fs';
import xterm from '@xterm/headless';
import { marked } from 'marked';

const [kind, page, ...files] = process.argv.slice(2);
const text = files.map((file) => readFileSync(file, 'utf8')).join('');
const modules = new URL('node_modules/', import.meta.url);

const escaped = (of) => of.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const icons = {
  error: '<svg viewBox="0 0 16 16"><circle cx="8" cy="8" r="8" fill="#d1242f"/><path d="M5.5 5.5l5 5m0-5l-5 5" stroke="#fff" stroke-width="1.6" stroke-linecap="round"/></svg>',
  warning: '<svg viewBox="0 0 16 16"><path d="M8 2l6.5 12h-13z" fill="none" stroke="#9a6700" stroke-width="1.5" stroke-linejoin="round"/><path d="M8 6.5v3.4m0 1.5v.7" stroke="#9a6700" stroke-width="1.5" stroke-linecap="round"/></svg>',
  success: '<svg viewBox="0 0 16 16"><path d="M3 8.5l3.5 3.5 7-7.5" fill="none" stroke="#1a7f37" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></svg>',
  failure: '<svg viewBox="0 0 16 16"><path d="M4 4l8 8m0-8l-8 8" stroke="#d1242f" stroke-width="1.8" stroke-linecap="round"/></svg>',
  pending: '<svg viewBox="0 0 16 16"><circle cx="8" cy="8" r="4" fill="#bf8700"/></svg>',
};

// The lines of a log: text, or a workflow command with its title and message.
function parsed(log) {
  const decoded = (of) => of.replace(/%(0A|0D|3A|2C|25)/g, (_, code) => String.fromCharCode(parseInt(code, 16)));
  return log.trimEnd().split('\n').map((line) => {
    const [, command, title, message] = line.match(/^::([a-z-]+)(?: title=([^:]*))?::(.*)$/) ?? [];
    return command ? { command, title: decoded(title ?? ''), message: decoded(message) } : { message: line };
  });
}

function summary() {
  const renderer = {
    // Returning false leaves other blocks to the library.
    code: ({ lang, text: code }) => (lang === 'mermaid' ? `<div class="mermaid">${escaped(code)}</div>` : false),
  };
  const style = readFileSync(new URL('github-markdown-css/github-markdown-light.css', modules), 'utf8');
  const body = marked.use({ renderer }).parse(text, { gfm: true });
  return `<style>${style}
      .markdown-body { padding: 12px 16px 16px; }
      .mermaid { margin-bottom: 16px; }
    </style>
    <section><h3>release summary</h3><article class="markdown-body">${body}</article></section>
    <script src="${new URL('mermaid/dist/mermaid.min.js', modules)}"></script>
    <script>
      // As for a reader who has opened the failed job's log.
      document.querySelectorAll('details').forEach((details) => { details.open = true; });
      mermaid.initialize({ startOnLoad: false, gantt: { useWidth: 860 } });
      mermaid.run().then(done);
    </script>`;
}

// Groups are closed, except those about a failure, as for a reader who has opened them.
function log() {
  let number = 0;
  let group = null;
  const rows = [];
  const row = (classes, html) => {
    number += 1;
    const [first, ...more] = html.split('\n');
    const lines = [first, ...more.map((line) => `<br>${line}`)].join('');
    if (classes !== null) { rows.push(`<tr class="${classes}"><td>${number}</td><td>${lines}</td></tr>`); }
  };
  const linked = (of) => escaped(of).replace(/https:\/\/[^\s]+/g, '<u>$&</u>');
  for (const { command, message } of parsed(text)) {
    if (command === 'group') {
      group = message.startsWith('✓') ? 'closed' : 'open';
      row('', `<b>${group === 'open' ? '▾' : '▸'}</b> ${linked(message)}`);
    } else if (command === 'endgroup') {
      group = null;
    } else if (command === 'error' || command === 'warning') {
      const name = command[0].toUpperCase() + command.slice(1);
      row(command, `<b>${name}:</b> ${linked(message)}`);
    } else if (!command) {
      row(group === 'closed' ? null : group === 'open' ? 'inside' : '', linked(message));
    }
  }
  return `<style>
      main { border-radius: 6px; background: #0d1117; color: #f0f6fc; padding: 16px 16px 12px; }
      header { display: flex; align-items: center; gap: 8px; font-weight: 600; padding-bottom: 10px; }
      header svg { width: 16px; }
      table { border-collapse: collapse; font: 12px/20px ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
      td { vertical-align: top; overflow-wrap: anywhere; }
      td:first-child { min-width: 28px; padding-right: 16px; text-align: right; color: #9198a1; }
      .inside td:last-child { padding-left: 16px; }
      .error td:last-child { background: #f851491a; color: #ffdcd7; } .error b { color: #ff7b72; }
      .warning td:last-child { background: #bb800926; color: #f2cc60; } .warning b { color: #e3b341; }
      b { font-weight: 600; }
    </style>
    <main><header>${icons.error} Run octo-org/trigger-pipeline@v1</header><table>${rows.join('')}</table></main>
    <script>done();</script>`;
}

function annotations() {
  const annotated = parsed(text).filter(({ command }) => command in icons);
  // Errors come first.
  annotated.sort((one, other) => one.command.localeCompare(other.command));
  const count = (command) => {
    const number = annotated.filter((annotation) => annotation.command === command).length;
    return `${number} ${command}${number === 1 ? '' : 's'}`;
  };
  const rows = annotated.map(({ command, title, message }) => (
    `<li>${icons[command]}<div><strong>${escaped(title)}</strong><p>${escaped(message)}</p></div></li>`
  ));
  return `<style>
      ul { list-style: none; margin: 0; padding: 0; }
      li { display: flex; gap: 12px; padding: 12px 16px; border-top: 1px solid #d1d9e0; }
      li svg { flex: none; width: 16px; height: 16px; margin-top: 2px; }
      p { margin: 2px 0 0; color: #59636e; white-space: pre-wrap; overflow-wrap: anywhere; }
      small { display: block; padding: 0 16px 12px; font-size: 12px; color: #59636e; }
    </style>
    <section><h3>Annotations</h3><small>${count('error')} and ${count('warning')}</small><ul>${rows.join('')}</ul></section>
    <script>done();</script>`;
}

// The box above the button that merges a pull request.
function checks() {
  const { statuses } = JSON.parse(text);
  // GitHub shows `error` as it shows `failure`.
  const groups = { failure: [], pending: [], success: [] };
  for (const status of statuses) {
    groups[status.state === 'error' ? 'failure' : status.state].push(status);
  }
  const names = { failure: 'failing', pending: 'pending', success: 'successful' };
  const present = Object.entries(groups).filter(([, group]) => group.length > 0);
  const count = (state, group) => `${group.length} ${names[state]}`;
  const rows = (group, state) => group
    .toSorted((one, other) => one.context.localeCompare(other.context))
    .map(({ context, description }) => (
      `<li>${icons[state]}<strong>${escaped(context)}</strong><span>${escaped(description)}</span><i>···</i></li>`
    )).join('');
  const lists = present.map(([state, group]) => (
    `<h4>${count(state, group)} check${group.length === 1 ? '' : 's'}</h4><ul>${rows(group, state)}</ul>`
  ));
  const [title, icon] = groups.failure.length > 0 ? ['Some checks were not successful', 'failure']
    : groups.pending.length > 0 ? ['Some checks haven’t completed yet', 'pending']
      : ['All checks have passed', 'success'];
  return `<style>
      header { display: flex; align-items: center; gap: 12px; padding: 14px 16px; }
      header svg { width: 26px; height: 26px; }
      header strong { font-size: 16px; }
      header small { display: block; font-size: 13px; color: #59636e; }
      h4 { margin: 0; padding: 8px 16px; border-top: 1px solid #d1d9e0; background: #f6f8fa; font-size: 12px;
        font-weight: 500; color: #59636e; }
      ul { list-style: none; margin: 0; padding: 4px 0; border-top: 1px solid #d1d9e0; }
      li { display: flex; align-items: center; gap: 8px; padding: 5px 16px 5px 24px; font-size: 13px; }
      li svg { flex: none; width: 16px; height: 16px; }
      li strong { font-weight: 600; white-space: nowrap; }
      li span { flex: auto; color: #59636e; }
      li i { color: #59636e; font-style: normal; }
    </style>
    <section><header>${icons[icon]}<div><strong>${title}</strong>
      <small>${present.map(([state, group]) => count(state, group)).join(', ')} checks</small></div></header>
    ${lists.join('')}</section>
    <script>done();</script>`;
}

// The screen as it is after everything in the file was written.
async function terminal() {
  const screen = new xterm.Terminal({ cols: 100, rows: 24, allowProposedApi: true });
  await new Promise((written) => { screen.write(text, written); });
  const colours = { 1: '#ff7b72', 2: '#3fb950', 3: '#d29922' };
  const rows = [];
  for (let number = 0; number < screen.buffer.active.length; number += 1) {
    const line = screen.buffer.active.getLine(number);
    let row = '';
    for (let column = 0; column < line.length; column += 1) {
      const cell = line.getCell(column);
      const characters = escaped(cell.getChars() || ' ');
      const colour = cell.isFgPalette() ? colours[cell.getFgColor()] : undefined;
      row += colour ? `<b style="color: ${colour}">${characters}</b>` : characters;
    }
    rows.push(row.trimEnd());
  }
  return `<style>
      pre { margin: 0; border-radius: 6px; background: #0d1117; color: #f0f6fc; padding: 14px 16px;
        font: 12px/19px ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
      b { font-weight: 600; }
    </style>
    <pre>${rows.join('\n').trimEnd()}</pre>
    <script>done();</script>`;
}

const content = await { summary, log, annotations, checks, terminal }[kind]();
writeFileSync(
  page,
  `<!doctype html>
<meta charset="utf-8">
<style>
  body { margin: 0; padding: 16px; background: #fff; color: #1f2328;
    font: 14px/1.5 -apple-system, BlinkMacSystemFont, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; }
  section { border: 1px solid #d1d9e0; border-radius: 6px; }
  section > h3 { margin: 0; padding: 16px 16px 4px; font-size: 14px; }
</style>
<script>function done() { document.body.dataset.height = document.documentElement.scrollHeight; }</script>
${content}
`,
);
