// The tests of .ci/e2e/native, which sets the environment. Each has its own copy of native/, tool cache and files.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  accessSync, chmodSync, constants, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync,
  rmSync, writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const { BINARY, SERVER, SANDBOX_LOG, TOKEN, REPOSITORY } = process.env;
const NATIVE = new URL('../../native', import.meta.url).pathname;
const ASSET = { x64: 'trigger-pipeline-linux-amd64', arm64: 'trigger-pipeline-linux-arm64' }[process.arch];
const VERSION = '9.8.7';
const SHA256 = createHash('sha256').update(readFileSync(BINARY)).digest('hex');

/** A run of this workflow goes on until somebody cancels it; one of the other passes. */
const ENDLESS = '1-release.yml';
const PASSING = 'build.yml';

/** A job's runner, with a copy of native/. */
class Runner {
  constructor(context) {
    this.root = mkdtempSync(join(tmpdir(), 'native-'));
    context.after(() => rmSync(this.root, { recursive: true }));
    this.native = join(this.root, 'native');
    this.toolCache = join(this.root, 'tools');
    this.temporary = join(this.root, 'temporary');
    for (const folder of [this.toolCache, this.temporary]) mkdirSync(folder);
    cpSync(NATIVE, this.native, { recursive: true });
    this.output = join(this.root, 'output');
    this.state = join(this.root, 'state');
    for (const file of [this.output, this.state]) writeFileSync(file, '');
  }

  /** Makes the copy of native/ that of a release. */
  release(url, sha256 = SHA256) {
    const release = { version: VERSION, url, sha256: { [ASSET]: sha256 } };
    writeFileSync(join(this.native, 'release.json'), JSON.stringify(release));
    return this;
  }

  folder(version, parent = this.toolCache) {
    return join(parent, 'trigger-pipeline', version, process.arch);
  }

  /** Puts a binary into the tool cache, as @actions/tool-cache does. */
  preload(version = '0.0.0', binary = BINARY) {
    const folder = this.folder(version);
    mkdirSync(folder, { recursive: true });
    copyFileSync(binary, join(folder, 'trigger-pipeline'));
    chmodSync(join(folder, 'trigger-pipeline'), 0o755);
    writeFileSync(`${folder}.complete`, '');
    return this;
  }

  start(workflow, { script = 'main.mjs', environment = {}, options = [] } = {}) {
    const child = spawn(process.execPath, [...options, join(this.native, script)], {
      env: {
        PATH: process.env.PATH,
        GITHUB_ACTIONS: 'true',
        GITHUB_OUTPUT: this.output,
        GITHUB_STATE: this.state,
        RUNNER_TOOL_CACHE: this.toolCache,
        RUNNER_TEMP: this.temporary,
        INPUT_REPOSITORY: REPOSITORY,
        INPUT_TOKEN: TOKEN,
        INPUT_WORKFLOW: workflow,
        INPUT_REF: 'main',
        INPUT_WAIT: String(workflow === ENDLESS),
        'INPUT_SERVER-URL': SERVER,
        ...environment,
      },
    });
    const step = { child, printed: '' };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => (step.printed += text));
    }
    step.ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
    return step;
  }

  async run(workflow, settings) {
    const step = this.start(workflow, settings);
    return { ...(await step.ended), printed: step.printed };
  }

  outputs() {
    const lines = readFileSync(this.output, 'utf8').matchAll(/^([a-z-]+)(?:=(.*)|<<(.*)\n(.*)\n\3)$/gm);
    return Object.fromEntries([...lines].map(([, name, short, , long]) => [name, short ?? long]));
  }

  /** The state of the only target, as the runner passes it to the post step. The last entry counts. */
  saved() {
    const entries = [...readFileSync(this.state, 'utf8').matchAll(/^target_0<<(.*)\n(.*)\n\1$/gm)];
    return entries.length ? { STATE_target_0: entries.at(-1)[2] } : {};
  }
}

const requests = (pattern) => readFileSync(SANDBOX_LOG, 'utf8').split('\n').filter((line) => pattern.test(line)).length;
const triggers = () => requests(/^github POST \S*\/dispatches /);
const cancels = () => requests(/^github POST \S*\/cancel Status\(202\)$/);

async function until(condition, what) {
  for (let round = 0; round < 300; round += 1) {
    if (condition()) return;
    await sleep(100);
  }
  assert.fail(`not within 30 s: ${what()}`);
}

async function waits(runner) {
  const step = runner.start(ENDLESS);
  await until(() => step.printed.includes(': running'), () => step.printed);
  return step;
}

/** Ids of the processes that a process has started. */
const children = (id) => readFileSync(`/proc/${id}/task/${id}/children`, 'utf8').trim().split(' ').map(Number);

/** Nothing was started, and the error is an annotation. */
function assertRefused({ code, printed }, runner, pattern) {
  assert.equal(code, 1, printed);
  assert.match(printed, /^::error title=trigger-pipeline can't start::[^\n]*\n$/);
  assert.match(printed, pattern);
  assert.deepEqual(runner.outputs(), { outcome: 'not-sent', results: '[]' });
}

/** A server on loopback that stands in for a release. Returns its address and the paths that were requested. */
async function release(context, answer) {
  const paths = [];
  const server = createServer((request, response) => {
    paths.push(request.url);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}/v${VERSION}`, paths };
}
const file = (_, response) => response.end(readFileSync(BINARY));

test('the binary in the tool cache waits for a run, and sets the outputs', async (context) => {
  const before = triggers();
  const runner = new Runner(context).preload();
  const { code, printed } = await runner.run(PASSING, { environment: { INPUT_WAIT: 'true' } });
  assert.equal(code, 0, printed);
  const outputs = runner.outputs();
  assert.equal(outputs.outcome, 'accepted');
  assert.equal(outputs.conclusion, 'success');
  assert.match(outputs['run-url'], /\/octo-org\/app\/actions\/runs\/\d+$/);
  assert.equal(triggers(), before + 1);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(`${signal} to the Node process cancels the run within the runner's time, and the post step agrees`, async (context) => {
    const before = cancels();
    const runner = new Runner(context).preload();
    const step = await waits(runner);
    const sent = Date.now();
    step.child.kill(signal);
    const { code, signal: by } = await step.ended;
    assert.deepEqual([code, by], [1, null], step.printed);
    assert.ok(Date.now() - sent < 7_000, `${Date.now() - sent} ms`);
    assert.match(step.printed, /was cancelled after the step was stopped/);
    assert.equal(runner.outputs().conclusion, 'cancelled');
    assert.equal(cancels(), before + 1);
    const post = await runner.run(ENDLESS, { script: 'post.mjs', environment: runner.saved() });
    assert.equal(post.code, 0, post.printed);
    assert.equal(cancels(), before + 1);
  });
}

test('after the step was killed, the post step cancels its run', async (context) => {
  const before = { triggers: triggers(), cancels: cancels() };
  const runner = new Runner(context).preload();
  const step = await waits(runner);
  const [binary] = children(step.child.pid);
  step.child.kill('SIGKILL');
  process.kill(binary, 'SIGKILL');
  await step.ended;
  assert.equal(cancels(), before.cancels);
  const state = runner.saved();
  assert.match(state.STATE_target_0 ?? '', /\/octo-org\/app\/actions\/runs\//);
  const post = await runner.run(ENDLESS, { script: 'post.mjs', environment: state });
  assert.equal(post.code, 0, post.printed);
  assert.match(post.printed, /is over: cancelled/);
  assert.equal(cancels(), before.cancels + 1);
  assert.equal(triggers(), before.triggers + 1);
});

test('if the binary is killed, Node ends by the same signal', async (context) => {
  const runner = new Runner(context).preload();
  const step = await waits(runner);
  process.kill(children(step.child.pid)[0], 'SIGKILL');
  assert.deepEqual(await step.ended, { code: null, signal: 'SIGKILL' });
  const post = await runner.run(ENDLESS, { script: 'post.mjs', environment: runner.saved() });
  assert.equal(post.code, 0, post.printed);
});

test('the binary gets the environment as it is, no arguments, and its exit code counts', async (context) => {
  const script = join(mkdtempSync(join(tmpdir(), 'native-')), 'script');
  context.after(() => rmSync(join(script, '..'), { recursive: true }));
  writeFileSync(script, '#!/bin/sh\ntr "\\0" " " </proc/$$/environ | grep -o "INPUT_ODD-NAME=[^ ]*"; echo "arguments: $#"; exit 3\n');
  const runner = new Runner(context).preload('0.0.0', script);
  const { code, printed } = await runner.run(PASSING, { environment: { 'INPUT_ODD-NAME': '$(kept);`as`|it&is' } });
  assert.equal(printed, 'INPUT_ODD-NAME=$(kept);`as`|it&is\narguments: 0\n');
  assert.equal(code, 3);
});

test('without a release and a binary, the error says what to do', async (context) => {
  const runner = new Runner(context);
  const before = triggers();
  assertRefused(await runner.run(PASSING), runner, /this commit of the action isn't a release/);
  assert.match((await runner.run(PASSING)).printed, /trigger-pipeline\/0\.0\.0\/[^ ]+\/trigger-pipeline, and create the empty file [^ ]+\.complete\n/);
  const post = await runner.run(PASSING, { script: 'post.mjs' });
  assert.deepEqual([post.code, post.printed], [0, '']);
  assert.equal(triggers(), before);
});

test('a binary without the marker of a complete tool is not started', async (context) => {
  const runner = new Runner(context).preload();
  rmSync(`${runner.folder('0.0.0')}.complete`);
  assertRefused(await runner.run(PASSING), runner, /isn't a release/);
});

test('a binary that cannot be started is an error', async (context) => {
  const runner = new Runner(context).preload();
  chmodSync(join(runner.folder('0.0.0'), 'trigger-pipeline'), 0o644);
  assertRefused(await runner.run(PASSING), runner, /can't be started: spawn .* EACCES/);
});

test('the binary is downloaded once, and kept in the tool cache', async (context) => {
  const { url, paths } = await release(context, file);
  const runner = new Runner(context).release(url);
  for (const attempt of [1, 2]) {
    const { code, printed } = await runner.run(PASSING);
    assert.equal(code, 0, `${attempt}: ${printed}`);
    assert.doesNotMatch(printed, /[Ww]arning/);
  }
  assert.deepEqual(paths, [`/v${VERSION}/${ASSET}`]);
  const folder = runner.folder(VERSION);
  assert.deepEqual(readdirSync(folder), ['trigger-pipeline']);
  accessSync(join(folder, 'trigger-pipeline'), constants.X_OK);
  assert.ok(existsSync(`${folder}.complete`));
});

test('without a tool cache, the binary is kept for the job', async (context) => {
  const { url, paths } = await release(context, file);
  const runner = new Runner(context).release(url);
  // A file is in the way, which stops root as well.
  writeFileSync(join(runner.toolCache, 'trigger-pipeline'), '');
  for (const environment of [{}, { RUNNER_TOOL_CACHE: '' }]) {
    const { code, printed } = await runner.run(PASSING, { environment });
    assert.equal(code, 0, printed);
  }
  assert.equal(paths.length, 1);
  assert.ok(existsSync(`${runner.folder(VERSION, runner.temporary)}.complete`));
  writeFileSync(join(runner.temporary, 'trigger-pipeline-is-no-folder'), '');
  const blocked = { RUNNER_TEMP: join(runner.temporary, 'trigger-pipeline-is-no-folder') };
  assert.match((await runner.run(PASSING, { environment: blocked })).printed, /none of these folders is writable/);
  const none = { RUNNER_TOOL_CACHE: '', RUNNER_TEMP: '' };
  assert.match((await runner.run(PASSING, { environment: none })).printed, /only a runner can start this/);
});

test('what has another checksum is not started and not kept', async (context) => {
  const before = triggers();
  const { url } = await release(context, (_, response) => response.end('#!/bin/sh\necho owned\n'));
  const runner = new Runner(context).release(url);
  assertRefused(await runner.run(PASSING), runner, /its SHA-256 is different/);
  assert.deepEqual(readdirSync(runner.folder(VERSION)), []);
  assert.ok(!existsSync(`${runner.folder(VERSION)}.complete`));
  assert.equal(triggers(), before);
});

test('a changed binary in the tool cache is not started', async (context) => {
  const { url, paths } = await release(context, file);
  const runner = new Runner(context).release(url).preload(VERSION);
  assert.equal((await runner.run(PASSING)).code, 0);
  writeFileSync(runner.output, '');
  writeFileSync(join(runner.folder(VERSION), 'trigger-pipeline'), '#!/bin/sh\necho owned\n');
  assertRefused(await runner.run(PASSING), runner, /Replace it with that file, or remove /);
  assert.equal((await runner.run(PASSING, { script: 'post.mjs' })).code, 1);
  assert.deepEqual(paths, []);
});

test('redirects are followed, but not to plain http', async (context) => {
  const redirecting = (to) => (request, response) => {
    if (request.url.startsWith(`/v${VERSION}/`)) response.writeHead(302, { location: to(request) }).end();
    else file(request, response);
  };
  const good = await release(context, redirecting(() => '/storage'));
  const runner = new Runner(context).release(good.url);
  assert.equal((await runner.run(PASSING)).code, 0);
  assert.equal(good.paths.at(-1), '/storage');
  for (const [to, pattern] of [
    ['http://192.0.2.1/storage', /http:\/\/192\.0\.2\.1 doesn't use https/],
    ['file:///etc/passwd', /doesn't use https/],
    [`/v${VERSION}/again`, /more than 5 redirects/],
  ]) {
    const { url } = await release(context, redirecting(() => to));
    const refused = new Runner(context).release(url);
    assertRefused(await refused.run(PASSING), refused, pattern);
  }
  const plain = new Runner(context).release('http://192.0.2.1/v1');
  assertRefused(await plain.run(PASSING), plain, /doesn't use https/);
});

test('a failure that may pass is retried, and others are reported', async (context) => {
  let requested = 0;
  const flaky = await release(context, (request, response) => {
    requested += 1;
    if (requested === 1) response.destroy();
    else if (requested === 2) response.writeHead(503).end();
    else file(request, response);
  });
  assert.equal((await new Runner(context).release(flaky.url).run(PASSING)).code, 0);
  const missing = await release(context, (_, response) => response.writeHead(404).end());
  const runner = new Runner(context).release(missing.url);
  assertRefused(await runner.run(PASSING), runner, /can't be downloaded: the server answered with status 404\. Without internet access/);
  const closed = new Runner(context).release('http://127.0.0.1:1/v1');
  assertRefused(await closed.run(PASSING), closed, /ECONNREFUSED|bad port/);
});

test('an endless download is stopped', async (context) => {
  const chunk = Buffer.alloc(1024 * 1024);
  const { url } = await release(context, (_, response) => {
    const write = () => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', write);
    write();
  });
  const runner = new Runner(context).release(url);
  assertRefused(await runner.run(PASSING), runner, /larger than 33554432 bytes/);
});

test('a download does not delay a cancel', async (context) => {
  const { url, paths } = await release(context, () => {});
  const runner = new Runner(context).release(url);
  const step = runner.start(PASSING);
  await until(() => paths.length === 1, () => step.printed);
  step.child.kill('SIGINT');
  const ended = await Promise.race([step.ended, sleep(5_000)]);
  assert.deepEqual(ended, { code: null, signal: 'SIGINT' });
});

test('a platform without a binary is an error that lists the others', async (context) => {
  const runner = new Runner(context).preload();
  const options = ['--import', 'data:text/javascript,Object.defineProperty(process,"platform",{value:"sunos"})'];
  assertRefused(await runner.run(PASSING, { options }), runner, /there is no binary for sunos-\w+, only for linux-x64, linux-arm64, darwin-x64/);
});

// Older versions of Node use no proxy, and runners have 24 or newer.
const skip = Number(process.versions.node.split('.')[0]) < 24 && 'needs Node 24';
test('the download uses the proxy of the runner', { skip }, async (context) => {
  const { url, paths } = await release(context, file);
  const requested = [];
  const proxy = createServer();
  proxy.on('connect', (request, socket) => {
    requested.push(request.url);
    const [host, port] = request.url.split(':');
    const remote = connect(port, host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(remote).pipe(socket);
    });
    for (const each of [socket, remote]) each.on('error', () => {});
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  context.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const environment = { http_proxy: `http://127.0.0.1:${proxy.address().port}` };
  const { code, printed } = await new Runner(context).release(url).run(PASSING, { environment });
  assert.equal(code, 0, printed);
  assert.equal(requested.length, 1);
  assert.equal(paths.length, 1);
});
