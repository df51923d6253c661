// Octokit against the sandbox. Each response is also checked against GitHub's description of its API.
//   node octokit.mjs HTTP_PORT
// Prints what was done. Run `npm ci` in this folder first.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createAppAuth } from '@octokit/auth-app';
import { RequestError } from '@octokit/request-error';
import { Octokit } from '@octokit/rest';
import { check, seen } from './description.mjs';

const baseUrl = `http://127.0.0.1:${process.argv[2]}/api/v3`;
const app = { owner: 'octo-org', repo: 'app' };
const { SANDBOX_GITHUB_TOKEN: token, SANDBOX_GITHUB_READ_ONLY: readOnly,
  SANDBOX_GITHUB_APP_KEY: keyFile } = process.env;

// Checks what Octokit sends and receives against the description.
let expected = false;
async function observed(url, options) {
  const answer = await fetch(url, options);
  const request = options.body ? JSON.parse(options.body) : undefined;
  if (answer.redirected && options.method === 'GET') {
    // fetch has followed a redirect without showing its response.
    await agree(url, options.method, request, await fetch(url, { ...options, redirect: 'manual' }));
  }
  // After a redirect, the response may be from a storage.
  if (answer.url.startsWith(baseUrl)) await agree(answer.url, options.method, request, answer.clone());
  return answer;
}
async function agree(url, method, request, answer) {
  const { pathname, searchParams: query } = new URL(url);
  const text = await answer.text();
  check({ method, path: pathname.slice('/api/v3'.length), query, request, expected,
    status: answer.status, answer: text === '' ? undefined : JSON.parse(text) });
}

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const client = (auth, more = {}) => new Octokit({ auth, baseUrl, log: quiet, request: { fetch: observed }, ...more });
const octokit = client(token);
const { actions, repos } = octokit.rest;

async function rejects(promise, status, message) {
  expected = true;
  try {
    await assert.rejects(promise(), (error) => {
      assert.ok(error instanceof RequestError, String(error));
      // The response doesn't agree with the description.
      if (error.cause) throw error.cause;
      assert.equal(error.status, status);
      assert.equal(error.response.data.message, message);
      assert.match(error.message, new RegExp(`^${message.split('\n')[0].replace(/[.*+?^$()[\]{}|\\]/g, '\\$&')}`));
      return true;
    });
  } finally {
    expected = false;
  }
}

const pause = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });

// Reads the run until the condition holds.
async function until(run_id, is) {
  for (let tries = 0; tries < 150; tries += 1) {
    const { data: run } = await actions.getWorkflowRun({ ...app, run_id });
    if (is(run)) return run;
    await pause(200);
  }
  throw new Error(`run ${run_id} does not come to it`);
}

const allRuns = () => octokit.paginate(actions.listWorkflowRunsForRepo, { ...app, per_page: 3 });

// Calls `start`, and returns the runs that have appeared since.
async function started(start) {
  const before = new Set((await allRuns()).map((run) => run.id));
  const answer = await start();
  const runs = (await allRuns()).filter((run) => !before.has(run.id));
  return { answer, runs };
}

// Triggers.

const payload = { version: '1.10', nested: { a: [1, 2] } };
const dispatched = await started(() => repos.createDispatchEvent({ ...app, event_type: 'deploy',
  client_payload: payload }));
assert.equal(dispatched.answer.status, 204);
// Two workflows listen; the third is disabled.
assert.deepEqual(dispatched.runs.map((run) => run.path).sort(),
  ['.github/workflows/build.yml', '.github/workflows/notify.yml']);
for (const run of dispatched.runs) {
  assert.equal(run.event, 'repository_dispatch');
  assert.equal(run.display_title, 'deploy');
  assert.equal(run.head_branch, 'main');
  assert.equal(run.actor.login, 'octocat');
  assert.equal(run.repository.full_name, 'octo-org/app');
}
assert.equal((await started(() => repos.createDispatchEvent({ ...app, event_type: 'nobody' }))).runs.length, 0);

const { data: workflows } = await actions.listRepoWorkflows(app);
assert.equal(workflows.total_count, workflows.workflows.length);
const paged = await octokit.paginate(actions.listRepoWorkflows, { ...app, per_page: 3 });
assert.deepEqual(paged, workflows.workflows);
const build = workflows.workflows.find((workflow) => workflow.path === '.github/workflows/build.yml');
const release = workflows.workflows.find((workflow) => workflow.name === 'Release');
assert.deepEqual((await actions.getWorkflow({ ...app, workflow_id: 'build.yml' })).data, build);
assert.deepEqual((await actions.getWorkflow({ ...app, workflow_id: release.id })).data, release);

const silent = await started(() => actions.createWorkflowDispatch({ ...app, workflow_id: 'build.yml', ref: 'v1.0.0' }));
assert.equal(silent.answer.status, 204);
assert.deepEqual(silent.runs.map((run) => [run.workflow_id, run.head_branch]), [[build.id, 'v1.0.0']]);

const told = await started(() => actions.createWorkflowDispatch({
  ...app, workflow_id: build.id, ref: 'refs/heads/release', inputs: { environment: 'production', version: '1.10' },
  return_run_details: true }));
assert.equal(told.answer.status, 200);
assert.deepEqual(told.runs.map((run) => run.id), [told.answer.data.workflow_run_id]);
assert.equal(told.runs[0].url, told.answer.data.run_url);
assert.equal(told.runs[0].html_url, told.answer.data.html_url);

const endless = await started(() => actions.createWorkflowDispatch({
  ...app, workflow_id: '1-release.yml', ref: 'main', return_run_details: true }));
assert.deepEqual(endless.runs.map((run) => run.workflow_id), [release.id]);
const gated = await started(() => actions.createWorkflowDispatch({
  ...app, workflow_id: 'strict.yml', ref: 'main', inputs: { environment: 'production' }, return_run_details: true }));
const timed = await started(() => repos.createDispatchEvent({
  ...app, event_type: 'deploy-marked', client_payload: { trigger_id: '00000000-0000-4000-8000-0000000000aa' } }));
assert.deepEqual(timed.runs.map((run) => run.display_title), ['Marked 00000000-0000-4000-8000-0000000000aa']);

// Runs that wait: for a concurrency group, for people, for a timer.

const gatedId = gated.answer.data.workflow_run_id;
const waiting = await until(gatedId, (run) => run.status === 'pending');
const { data: groups } = await octokit.request('GET /repos/{owner}/{repo}/actions/runs/{run_id}/concurrency_groups',
  { ...app, run_id: gatedId });
const [member] = groups.concurrency_groups[0].group_members;
assert.deepEqual([groups.total_count, member.run_id, member.run_url, member.position],
  [1, gatedId, waiting.url, 1]);
await until(gatedId, (run) => run.status === 'waiting');
const { data: [deployment] } = await actions.getPendingDeploymentsForRun({ ...app, run_id: gatedId });
assert.equal(deployment.environment.name, 'production');
assert.deepEqual(deployment.reviewers.map((one) => [one.type, one.reviewer.login ?? one.reviewer.slug]),
  [['User', 'octocat'], ['Team', 'ops']]);
const { data: [timer] } = await actions.getPendingDeploymentsForRun({ ...app, run_id: timed.runs[0].id });
assert.deepEqual([timer.wait_timer, timer.reviewers], [60, []]);

// Cancels.

for (const run_id of [endless.answer.data.workflow_run_id, gatedId, timed.runs[0].id]) {
  assert.equal((await actions.cancelWorkflowRun({ ...app, run_id })).status, 202);
  const run = await until(run_id, (one) => one.status === 'completed');
  assert.equal(run.conclusion, 'cancelled');
  await rejects(() => actions.cancelWorkflowRun({ ...app, run_id }), 409,
    'Cannot cancel a workflow run that is completed.');
  const { data } = await actions.listJobsForWorkflowRun({ ...app, run_id });
  assert.equal(data.jobs.at(-1).conclusion, 'cancelled');
}
assert.equal((await octokit.paginate(actions.listWorkflowRuns, { ...app, workflow_id: release.id,
  status: 'cancelled' }))
  .filter((run) => run.id === endless.runs[0].id).length, 1);

// A re-run of cancelled jobs: a second attempt, beside which the first one stays as it was.

const rerun = { ...app, run_id: endless.answer.data.workflow_run_id };
assert.equal((await actions.reRunWorkflowFailedJobs({ ...rerun, enable_debug_logging: true })).status, 201);
const second = await until(rerun.run_id, (one) => one.status === 'in_progress');
assert.deepEqual([second.run_attempt, second.conclusion], [2, null]);
const { data: earlier } = await actions.getWorkflowRunAttempt({ ...rerun, attempt_number: 1 });
assert.deepEqual([earlier.conclusion, earlier.created_at], ['cancelled', second.created_at]);
const everyJob = await octokit.paginate(actions.listJobsForWorkflowRun, { ...rerun, filter: 'all' });
assert.deepEqual(everyJob.map((job) => job.run_attempt), [1, 2]);
await rejects(() => actions.reRunWorkflowFailedJobs(rerun), 403, 'This workflow is already running');
await actions.cancelWorkflowRun(rerun);

// A finished run, its jobs, logs and artifacts.

const run_id = told.answer.data.workflow_run_id;
const run = await until(run_id, (one) => one.status === 'completed');
assert.equal(run.conclusion, 'success');
const { data: attempt } = await actions.getWorkflowRunAttempt({ ...app, run_id, attempt_number: 1 });
assert.deepEqual(attempt, run);
const jobs = await octokit.paginate(actions.listJobsForWorkflowRunAttempt, { ...app, run_id, attempt_number: 1,
  per_page: 1 });
assert.deepEqual(jobs.map((job) => [job.name, job.status, job.conclusion]),
  [['build', 'completed', 'success'], ['test', 'completed', 'success']]);
assert.ok(jobs.every((job) => job.run_id === run_id && job.steps.length > 0));
assert.deepEqual((await actions.listJobsForWorkflowRun({ ...app, run_id, filter: 'all' })).data.jobs, jobs);
const { data: job } = await actions.getJobForWorkflowRun({ ...app, job_id: jobs[0].id });
assert.deepEqual(job, jobs[0]);
// The log is behind a redirect to a storage, which rejects requests with a token.
const log = await actions.downloadJobLogsForWorkflowRun({ ...app, job_id: job.id });
assert.match(Buffer.from(log.data).toString(), /^\d{4}-\d\d-\d\dT[\d:.]+Z ./);

const artifacts = await octokit.paginate(actions.listWorkflowRunArtifacts, { ...app, run_id, name: 'result' });
assert.deepEqual(artifacts.map((artifact) => [artifact.name, artifact.workflow_run.id]), [['result', run_id]]);
const artifact_id = artifacts[0].id;
assert.deepEqual((await actions.getArtifact({ ...app, artifact_id })).data, artifacts[0]);
const zip = Buffer.from((await actions.downloadArtifact({ ...app, artifact_id, archive_format: 'zip' })).data);
assert.equal(zip.length, artifacts[0].size_in_bytes);
assert.equal(`sha256:${createHash('sha256').update(zip).digest('hex')}`, artifacts[0].digest);
assert.ok(zip.subarray(0, 4).equals(Buffer.from('PK\x03\x04')) && zip.includes('result.json'));

// Commit statuses.

const commit = { ...app, sha: run.head_sha };
for (const [state, context] of [['pending', 'deploy'], ['success', 'deploy'], ['pending', 'release']]) {
  const { data: status } = await repos.createCommitStatus({ ...commit, state, context,
    description: `${context}: ${state}`, target_url: run.html_url });
  assert.deepEqual([status.state, status.context, status.target_url, status.creator.login],
    [state, context, run.html_url, 'octocat']);
}
const statuses = await octokit.paginate(repos.listCommitStatusesForRef, { ...app, ref: commit.sha, per_page: 2 });
assert.deepEqual(statuses.map((one) => one.description),
  ['release: pending', 'deploy: success', 'deploy: pending']);
const { data: combined } = await repos.getCombinedStatusForRef({ ...app, ref: commit.sha });
assert.deepEqual([combined.state, combined.total_count, combined.sha], ['pending', 2, commit.sha]);
await rejects(() => repos.createCommitStatus({ ...commit, state: 'pending', description: 'x'.repeat(141) }), 422,
  'Validation Failed');
const noCommit = 'f'.repeat(40);
await rejects(() => repos.createCommitStatus({ ...app, sha: noCommit, state: 'pending' }), 422,
  `No commit found for SHA: ${noCommit}`);

// Lists, with their filters.

const since = run.created_at;
const found = await octokit.paginate(actions.listWorkflowRunsForRepo,
  { ...app, event: 'workflow_dispatch', branch: 'release', created: `>=${since}`, actor: 'octocat' });
assert.ok(found.some((one) => one.id === run_id) && found.every((one) => one.head_branch === 'release'));

// A conditional request costs nothing.

const first = await actions.getWorkflowRun({ ...app, run_id });
const used = async () => (await octokit.rest.rateLimit.get()).data.rate.used;
const before = await used();
await assert.rejects(actions.getWorkflowRun({ ...app, run_id, headers: { 'if-none-match': first.headers.etag } }),
  (error) => error.status === 304);
// `GET /rate_limit` itself is free at GitHub.
assert.equal(await used(), before);

// Renamed repositories.

const renamed = await repos.get({ owner: 'octo-org', repo: 'renamed-app' });
assert.equal(renamed.data.full_name, 'octo-org/app');
assert.deepEqual((await repos.get(app)).data, renamed.data);
assert.equal(renamed.data.default_branch, 'main');
// A redirect of a trigger is followed with method and body.
const moved = await started(() => repos.createDispatchEvent({ owner: 'octo-org', repo: 'renamed-app',
  event_type: 'release' }));
assert.deepEqual(moved.runs.map((one) => one.path), ['.github/workflows/ship.yml']);

// Users.

assert.equal((await octokit.rest.users.getAuthenticated()).data.login, 'octocat');

// Errors.

const stranger = client('ghp_wrong').rest;
await rejects(() => stranger.repos.createDispatchEvent({ ...app, event_type: 'deploy' }), 401, 'Bad credentials');
await rejects(() => repos.createDispatchEvent({ owner: 'octo-org', repo: 'missing', event_type: 'deploy' }), 404,
  'Not Found');
await rejects(() => repos.createDispatchEvent({ ...app, event_type: 'x'.repeat(101) }), 422,
  'Invalid request.\n\nOnly 100 characters are allowed; 101 were supplied.');
await rejects(() => client(readOnly).rest.repos.createDispatchEvent({ ...app, event_type: 'deploy' }), 403,
  'Resource not accessible by personal access token');
const dispatch = (more) => () => actions.createWorkflowDispatch({ ...app, workflow_id: 'build.yml', ref: 'main',
  ...more });
await rejects(dispatch({ ref: 'missing' }), 422, 'No ref found for: missing');
await rejects(dispatch({ workflow_id: 'missing.yml' }), 404, 'Not Found');
await rejects(dispatch({ workflow_id: 'lint.yml' }), 422, "Workflow does not have 'workflow_dispatch' trigger");
await rejects(dispatch({ inputs: { unheard: 'of' } }), 422, 'Unexpected inputs provided: ["unheard"]');
await rejects(dispatch({ inputs: 'text' }), 422,
  'Invalid request.\n\nFor \'properties/inputs\', "text" is not an object.');
await rejects(() => actions.getWorkflowRun({ ...app, run_id: 1 }), 404, 'Not Found');

// An App, with a token for one repository and one permission.

const appAuth = { appId: 20001, privateKey: readFileSync(keyFile, 'utf8') };
const asApp = client(appAuth, { authStrategy: createAppAuth });
const { data: installation } = await asApp.rest.apps.getRepoInstallation(app);
assert.deepEqual((await asApp.rest.apps.getRepoInstallation({ owner: 'octo-org', repo: 'renamed-app' })).data,
  installation);
const minted = await asApp.rest.apps.createInstallationAccessToken({
  installation_id: installation.id, repositories: ['app'], permissions: { actions: 'write' } });
assert.equal(minted.status, 201);
const restricted = client(minted.data.token);
const { data: reach } = await restricted.rest.apps.listReposAccessibleToInstallation();
assert.deepEqual(reach.repositories.map((one) => one.full_name), ['octo-org/app']);
const byApp = await started(() => restricted.rest.actions.createWorkflowDispatch({
  ...app, workflow_id: 'build.yml', ref: 'main', return_run_details: true }));
assert.deepEqual(byApp.runs.map((one) => [one.id, one.actor.login, one.actor.type]),
  [[byApp.answer.data.workflow_run_id, 'octo-deployer[bot]', 'Bot']]);
await rejects(() => restricted.rest.repos.createDispatchEvent({ ...app, event_type: 'deploy' }), 403,
  'Resource not accessible by integration');
await rejects(() => restricted.rest.actions.listRepoWorkflows({ owner: 'octo-org', repo: 'private' }), 404,
  'Not Found');
// The same with Octokit's own App authentication, which mints the token.
const installed = client({ ...appAuth, installationId: installation.id }, { authStrategy: createAppAuth });
const alone = await started(() => installed.rest.repos.createDispatchEvent({ owner: 'octo-org', repo: 'private',
  event_type: 'anything' }));
assert.equal(alone.answer.status, 204);
await rejects(() => asApp.rest.apps.createInstallationAccessToken({ installation_id: installation.id,
  permissions: { administration: 'write' } }), 422, 'The permissions requested are not granted to this installation.');

console.log(`GitHub: Octokit accepts the sandbox, and ${seen.size} kinds of responses match GitHub's description`);
