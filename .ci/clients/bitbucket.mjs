// The npm package `bitbucket` against the sandbox.
//   node bitbucket.mjs HTTP_PORT
// Prints what was done. Run `npm ci` in this folder first.

import assert from 'node:assert/strict';
import bitbucket from 'bitbucket';

// Otherwise Node shows the line that threw, and this client is a single line.
process.on('uncaughtException', (error) => { console.error(error); process.exit(1); });

const baseUrl = `http://127.0.0.1:${process.argv[2]}/2.0`;
const { SANDBOX_BITBUCKET_TOKEN: token, SANDBOX_BITBUCKET_API_TOKEN: password, SANDBOX_BITBUCKET_EMAIL: username,
  SANDBOX_BITBUCKET_READ_ONLY: readOnly } = process.env;
const place = { workspace: 'octo-workspace', repo_slug: 'service' };
const client = (auth) => new bitbucket.Bitbucket({ baseUrl, auth, notice: false });
const byAccessToken = client({ token });
const { pipelines, repositories } = byAccessToken;

async function rejects(promise, status, error) {
  await assert.rejects(promise, (thrown) => {
    assert.equal(thrown.name, 'HTTPError');
    assert.equal(thrown.status, status);
    const { message, detail } = thrown.error.error;
    assert.deepEqual({ type: thrown.error.type, message, detail }, { type: 'error', detail: undefined, ...error });
    return true;
  });
}

const pause = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

// All pages of a list, following the `next` addresses.
async function all(first) {
  const values = [...first.data.values];
  for (let page = first.data; byAccessToken.hasNextPage(page);) {
    page = (await byAccessToken.getNextPage(page)).data;
    values.push(...page.values);
    assert.ok(values.length <= first.data.size, 'the pages go round in circles');
  }
  assert.equal(values.length, first.data.size);
  return values;
}

const list = async (pagelen = 3) => all(await pipelines.list({ ...place, sort: '-created_on', pagelen }));

// Reads the pipeline until the condition holds.
async function until(pipeline_uuid, is) {
  for (let tries = 0; tries < 150; tries += 1) {
    const { data } = await pipelines.get({ ...place, pipeline_uuid });
    if (is(data.state)) return data;
    await pause(200);
  }
  throw new Error(`pipeline ${pipeline_uuid} does not come to it`);
}

// Starts a pipeline, and checks that it is the only new one.
async function started(by, target, variables) {
  const before = (await list()).map((one) => one.uuid);
  const { data, status, headers } = await by.pipelines.create({ ...place, _body: { target, variables } });
  assert.equal(status, 201);
  assert.equal(data.type, 'pipeline');
  assert.deepEqual((await list()).map((one) => one.uuid), [data.uuid, ...before]);
  assert.equal(headers.location, data.links.self.href);
  // The number, the uuid and the address lead to the same pipeline.
  const byNumber = await pipelines.get({ ...place, pipeline_uuid: data.build_number });
  assert.equal(byNumber.data.uuid, data.uuid);
  assert.equal((await byAccessToken.request(headers.location)).data.uuid, data.uuid);
  return data;
}

const repository = (await repositories.get(place)).data;
assert.deepEqual([repository.full_name, repository.mainbranch.name], ['octo-workspace/service', 'main']);

// Triggers.

const reference = (ref_type, ref_name) => ({ type: 'pipeline_ref_target', ref_type, ref_name });
const branch = await started(byAccessToken, reference('branch', 'main'));
assert.deepEqual([branch.target.ref_type, branch.target.ref_name], ['branch', 'main']);
assert.equal(branch.repository.full_name, repository.full_name);
const tag = await started(client({ username, password }), reference('tag', 'v2.0.0'));
assert.deepEqual([tag.target.ref_type, tag.target.ref_name], ['tag', 'v2.0.0']);
assert.equal(tag.build_number, branch.build_number + 1);
const hash = '0123456789abcdef0123456789abcdef01234567';
const commit = await started(byAccessToken, {
  type: 'pipeline_commit_target', commit: { type: 'commit', hash }, selector: { type: 'default' } });
assert.deepEqual([commit.target.type, commit.target.commit.hash], ['pipeline_commit_target', hash]);
const variables = [{ key: 'REGION', value: 'eu-west-1' }, { key: 'KEY', value: 'hidden', secured: true }];
const custom = (name) => ({ ...reference('branch', 'develop'), selector: { type: 'custom', pattern: name } });
const nightly = await started(byAccessToken, custom('nightly'), variables);
assert.deepEqual(nightly.target.selector, { type: 'custom', pattern: 'nightly' });
assert.ok(!JSON.stringify(nightly).includes('hidden'));
const rollout = await started(byAccessToken, custom('rollout'));

// Lists.

const newest = await list(100);
assert.deepEqual((await list(1)).map((one) => one.uuid), newest.map((one) => one.uuid));
const oldest = await all(await pipelines.list({ ...place, pagelen: 2 }));
assert.deepEqual(oldest.map((one) => one.uuid), newest.map((one) => one.uuid).reverse());
const first = (await pipelines.list({ ...place, pagelen: 2 })).data;
assert.ok(!byAccessToken.hasPreviousPage(first));
const second = (await byAccessToken.getNextPage(first)).data;
assert.ok(byAccessToken.hasPreviousPage(second));
assert.deepEqual((await byAccessToken.getPreviousPage(second)).data.values.map((one) => one.uuid),
  first.values.map((one) => one.uuid));

// A pipeline that waits for a person, until it is stopped.

const paused = await until(rollout.uuid, (state) => state.stage?.name === 'PAUSED');
assert.equal(paused.state.stage.type, 'pipeline_state_in_progress_paused');
const steps = async (pipeline_uuid) => all(await pipelines.listSteps({ ...place, pipeline_uuid, pagelen: 1 }));
const manual = (await steps(rollout.uuid)).at(-1);
assert.deepEqual([manual.trigger.type, manual.state.name, manual.state.stage.type],
  ['pipeline_step_trigger_manual', 'PENDING', 'pipeline_step_state_pending_paused']);
await rejects(pipelines.getStepLog({ ...place, pipeline_uuid: rollout.uuid, step_uuid: manual.uuid }), 404,
  { message: 'Not found', detail: 'Log not found' });
assert.equal((await pipelines.stop({ ...place, pipeline_uuid: rollout.uuid })).status, 204);
const stopped = await until(rollout.uuid, (state) => state.name === 'COMPLETED');
assert.deepEqual(stopped.state.result, { name: 'STOPPED', type: 'pipeline_state_completed_stopped' });
await rejects(pipelines.stop({ ...place, pipeline_uuid: rollout.uuid }), 400,
  { message: 'Bad request', detail: 'The pipeline is already completed.' });

// A finished pipeline, its steps and logs.

const done = await until(branch.uuid, (state) => state.name === 'COMPLETED');
assert.deepEqual(done.state.result, { name: 'SUCCESSFUL', type: 'pipeline_state_completed_successful' });
assert.ok(Date.parse(done.completed_on) >= Date.parse(done.created_on));
const failed = await until(nightly.uuid, (state) => state.name === 'COMPLETED');
assert.equal(failed.state.result.name, 'FAILED');
const ran = await steps(nightly.uuid);
assert.deepEqual(ran.map((step) => [step.name, step.state.result.type.replace('pipeline_step_state_completed_', '')]),
  [['build', 'successful'], ['test', 'successful'], ['deploy', 'failed']]);
// The log is behind a redirect to a storage, which rejects requests with a token.
const log = await pipelines.getStepLog({ ...place, pipeline_uuid: nightly.uuid, step_uuid: ran[2].uuid });
assert.match(Buffer.from(log.data).toString(), /connection to db-1\.example\.com refused\n$/);

// Errors.

const create = (by, target, where = place) => by.pipelines.create({ ...where, _body: { target } });
const main = reference('branch', 'main');
await rejects(create(client({ token: 'ATCTT3xWrong' }), main), 401,
  { message: 'Token is invalid, expired, or not supported for this endpoint.' });
await rejects(create(byAccessToken, main, { ...place, repo_slug: 'missing' }), 404,
  { message: 'Repository octo-workspace/missing not found' });
// If the token can't see a repository, the response is an HTML page.
await assert.rejects(create(byAccessToken, main, { ...place, repo_slug: 'hidden' }),
  (error) => error.status === 404 && error.error.startsWith('<!DOCTYPE html>'));
await rejects(create(byAccessToken, reference('branch', 'missing')), 404,
  { message: 'Not found', detail: 'Could not find last reference for branch missing' });
await rejects(create(byAccessToken, custom('missing')), 400,
  { message: 'Bad request', detail: 'Requested selector is not found in bitbucket-pipelines.yml.' });
await rejects(create(byAccessToken, { type: 'pipeline_ref_target' }), 400,
  { message: 'Bad request', detail: 'ref_name is missing, empty or not a string.' });
await rejects(create(client({ token: readOnly }), main), 403, {
  message: 'Your credentials lack one or more required privilege scopes.',
  detail: { granted: ['pipeline'], required: ['pipeline:write'] } });
await rejects(pipelines.get({ ...place, pipeline_uuid: 999999 }), 404, { message: 'Not found',
  detail: 'Pipeline not found' });
assert.deepEqual((await list()).map((one) => one.uuid), newest.map((one) => one.uuid));

console.log('Bitbucket: npm\'s bitbucket accepts the sandbox');
