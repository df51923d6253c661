// The action's binary against the sandbox, through a recording proxy: checks each request that it sends to GitHub,
// and each response that it reads, against GitHub's description of its API.
//   node binary.mjs HTTP_PORT PROGRAM
// Prints what was done. Run `npm ci` in this folder first.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, seen } from './description.mjs';

const [, , port, program] = process.argv;
const { SANDBOX_GITHUB_TOKEN: token, SANDBOX_GITHUB_APP_KEY: keyFile } = process.env;
const scratch = mkdtempSync(join(tmpdir(), 'binary-'));

const complaints = [];
const server = createServer(async (incoming, outgoing) => {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const sent = Buffer.concat(chunks);
  const { method, headers } = incoming;
  const onward = request({ host: '127.0.0.1', port, method, path: incoming.url, headers }, async (answer) => {
    const parts = [];
    for await (const part of answer) parts.push(part);
    const body = Buffer.concat(parts);
    const { pathname, searchParams: query } = new URL(incoming.url, 'http://localhost');
    if (pathname.startsWith('/api/v3/')) {
      const json = (bytes) => (bytes.length > 0 ? JSON.parse(bytes) : undefined);
      try {
        check({ method, path: pathname.slice('/api/v3'.length), query, request: json(sent),
          status: answer.statusCode, answer: json(body) });
      } catch (error) {
        complaints.push(error.message);
      }
    }
    outgoing.writeHead(answer.statusCode, answer.rawHeaders).end(body);
  });
  onward.on('error', () => outgoing.destroy()).end(sent);
});
await new Promise((done) => { server.listen(0, '127.0.0.1', done); });

// One step: its inputs, and its outputs.
let count = 0;
async function step(inputs) {
  count += 1;
  const [output, summary] = ['output', 'summary'].map((name) => join(scratch, `${name}-${count}`));
  for (const file of [output, summary]) writeFileSync(file, '');
  const env = { GITHUB_ACTIONS: 'true', GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary };
  const all = { 'server-url': `http://127.0.0.1:${server.address().port}`, repository: 'octo-org/app', ...inputs };
  for (const [name, value] of Object.entries(all)) env[`INPUT_${name.toUpperCase()}`] = value;
  const child = spawn(program, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { log += text; });
  const code = await new Promise((done) => { child.on('close', done); });
  // name<<DELIMITER, lines, DELIMITER; or name=value.
  const outputs = {};
  const pattern = /^([a-z-]+)<<(\S+)\n([^]*?)\n?\2$|^([a-z-]+)=(.*)$/gm;
  for (const [, name, , block, other, value] of readFileSync(output, 'utf8').matchAll(pattern)) {
    outputs[name ?? other] = block ?? value;
  }
  return { code, outputs, log };
}

try {
  const [event, workflow, app, held, renamed, unknown, strange] = await Promise.all([
    step({ token, 'event-type': 'release', 'client-payload': '{"version": "1.10"}', wait: 'true' }),
    step({ token, workflow: 'build.yml', ref: 'release', inputs: 'environment: production', wait: 'true',
      'result-artifact': 'result' }),
    step({ 'client-id': 'Iv23liSandboxClient01', 'private-key': readFileSync(keyFile, 'utf8'), workflow: '102' }),
    step({ token, workflow: 'strict.yml', inputs: '{"environment": "production"}', wait: 'true',
      'on-blocked': 'fail' }),
    step({ token, repository: 'octo-org/renamed-app', 'event-type': 'nobody' }),
    step({ token, workflow: 'biuld.yml', wait: 'true' }),
    step({ token, workflow: 'build.yml', ref: 'missing' }),
  ]);
  const ended = ({ code, outputs, log }, wanted) => assert.deepEqual(
    [code, outputs.outcome, outputs.conclusion], wanted, log);
  ended(event, [0, 'accepted', 'success']);
  ended(workflow, [0, 'accepted', 'success']);
  assert.equal(JSON.parse(workflow.outputs.result).version, '1.2.3');
  ended(app, [0, 'accepted', '']);
  ended(held, [1, 'accepted', 'failure']);
  assert.match(held.log, /waiting for 1 other run of its concurrency group/);
  assert.match(held.log, /approval of the environment production by octocat or ops/);
  ended(renamed, [0, 'accepted', '']);
  ended(unknown, [1, 'rejected', '']);
  ended(strange, [1, 'rejected', '']);
} finally {
  server.closeAllConnections();
  server.close();
  rmSync(scratch, { recursive: true });
}
assert.deepEqual(complaints, []);
const needed = [
  'POST /repos/{owner}/{repo}/dispatches 204',
  'POST /repos/{owner}/{repo}/dispatches 307',
  'POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches 200',
  'GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number} 200',
  'GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs 200',
  'GET /repos/{owner}/{repo}/actions/runs/{run_id}/concurrency_groups 200',
  'GET /repos/{owner}/{repo}/actions/runs/{run_id}/pending_deployments 200',
  'GET /repos/{owner}/{repo}/actions/runs/{run_id}/artifacts 200',
  'GET /repos/{owner}/{repo}/actions/artifacts/{artifact_id}/{archive_format} 302',
  'GET /repos/{owner}/{repo}/installation 200',
  'POST /app/installations/{installation_id}/access_tokens 201',
  'POST /repos/{owner}/{repo}/actions/runs/{run_id}/cancel 202',
];
assert.deepEqual(needed.filter((one) => !seen.has(one)), []);
console.log(`the action: all ${seen.size} kinds of its requests match GitHub's description`);
