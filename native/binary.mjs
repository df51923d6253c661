// Finds the binary for this runner in the tool cache, or downloads it. In a release its SHA-256 must be the one in
// release.json, which belongs to the same commit as this file.

import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  accessSync, chmodSync, constants, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The files of a release, by Node's names for platform and architecture. */
const ASSETS = {
  'linux-x64': 'trigger-pipeline-linux-amd64',
  'linux-arm64': 'trigger-pipeline-linux-arm64',
  'darwin-x64': 'trigger-pipeline-macos-amd64',
  'darwin-arm64': 'trigger-pipeline-macos-arm64',
  'win32-x64': 'trigger-pipeline-windows-amd64.exe',
};
/** The version of every commit that isn't a release. */
const UNRELEASED = '0.0.0';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const { version, url, sha256 } = JSON.parse(readFileSync(here('release.json'), 'utf8'));
const program = process.platform === 'win32' ? 'trigger-pipeline.exe' : 'trigger-pipeline';

/** Returns the path of the binary if a folder has it. Fails if it isn't the release's. */
export function find() {
  const name = asset();
  const complete = folders().find((folder) => existsSync(`${folder}.complete`));
  if (!complete) return undefined;
  const path = join(complete, program);
  if (version !== UNRELEASED && hash(path) !== sha256[name]) {
    throw new Error(
      `${path} isn't ${name} of version ${version}: its SHA-256 is different. ` +
        `Replace it with that file, or remove ${complete}.complete`,
    );
  }
  return path;
}

/** Downloads the binary, keeps it for later steps, and returns its path. */
export async function download() {
  const name = asset();
  if (version === UNRELEASED) {
    const [folder] = folders();
    throw new Error(
      "this commit of the action isn't a release, so it has no binary to download. Name a version in `uses:`, such as v1, " +
        `or build the binary, save it as ${join(folder, program)}, and create the empty file ${folder}.complete`,
    );
  }
  const folder = writableFolder();
  const partial = join(folder, `${randomUUID()}.partial`);
  try {
    await fetched(`${url}/${name}`, partial);
    if (hash(partial) !== sha256[name]) {
      throw new Error(
        `${url}/${name} isn't the file that belongs to version ${version}: its SHA-256 is different. ` +
          'It was removed, and nothing was started',
      );
    }
    chmodSync(partial, 0o755);
    renameSync(partial, join(folder, program));
  } finally {
    rmSync(partial, { force: true });
  }
  writeFileSync(`${folder}.complete`, '');
  return join(folder, program);
}

function asset() {
  const platform = `${process.platform}-${process.arch}`;
  if (Object.hasOwn(ASSETS, platform)) return ASSETS[platform];
  throw new Error(`there is no binary for ${platform}, only for ${Object.keys(ASSETS).join(', ')}`);
}

/** Where the binary may be: the folders that @actions/tool-cache would use in the tool cache, and in a job's own one. */
function folders() {
  const { RUNNER_TOOL_CACHE: cache, RUNNER_TEMP: temporary } = process.env;
  const parents = [cache, temporary].filter(Boolean);
  if (parents.length === 0) throw new Error("RUNNER_TOOL_CACHE and RUNNER_TEMP aren't set: only a runner can start this");
  return parents.map((parent) => join(parent, 'trigger-pipeline', version, process.arch));
}

/** Returns the first folder that can be written: the tool cache of some runners is read-only. */
function writableFolder() {
  const isWritable = (folder) => {
    try {
      mkdirSync(folder, { recursive: true });
      accessSync(folder, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  };
  const all = folders();
  const writable = all.find(isWritable);
  if (!writable) throw new Error(`the binary can't be saved: none of these folders is writable: ${all.join(', ')}`);
  return writable;
}

const hash = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Runs download.mjs in a process of its own, because Node reads NODE_USE_ENV_PROXY only when it starts. */
async function fetched(from, to) {
  const child = spawn(process.execPath, [here('download.mjs'), from, to], {
    env: { ...process.env, NODE_USE_ENV_PROXY: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.setEncoding('utf8');
  let problem = '';
  child.stderr.on('data', (text) => (problem += text));
  const [code] = await once(child, 'close');
  if (code === 0) return;
  throw new Error(
    `${from} can't be downloaded: ${problem.trim()}. Without internet access, put the binary into the runner's tool cache`,
  );
}
