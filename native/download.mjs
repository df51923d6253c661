// download.mjs URL FILE: saves what is at a URL, over https and within limits. Prints only the reason if it fails.

import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const MAX_BYTES = 32 * 1024 * 1024;
const MAX_REDIRECTS = 5;
const ATTEMPTS = 3;
const TIMEOUT_MS = 120_000;

const [first, file] = [new URL(process.argv[2]), process.argv[3]];
const signal = AbortSignal.timeout(TIMEOUT_MS);

/** Plain http only from this machine to itself, for tests. */
function mustBeSecure(url) {
  const isLocal = ({ protocol, hostname }) => protocol === 'http:' && hostname === '127.0.0.1';
  if (url.protocol !== 'https:' && !(isLocal(first) && isLocal(url))) throw new Error(`${url.origin} doesn't use https`);
}

async function response() {
  let url = first;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    mustBeSecure(url);
    const answer = await fetch(url, { redirect: 'manual', signal });
    if (answer.ok) return answer;
    const next = answer.headers.get('location');
    if (!next) throw new Error(`the server answered with status ${answer.status}`);
    await answer.body?.cancel();
    url = new URL(next, url);
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects`);
}

async function content() {
  const chunks = [];
  let size = 0;
  for await (const chunk of (await response()).body ?? []) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

for (let attempt = 1; ; attempt += 1) {
  try {
    writeFileSync(file, await content());
    break;
  } catch (error) {
    if (attempt === ATTEMPTS || signal.aborted) {
      // For a failed connection, the error only says that it failed.
      const reason = error.cause?.message || error.cause?.code || error.message;
      console.error(signal.aborted ? `it took more than ${TIMEOUT_MS / 1000} seconds` : reason);
      process.exitCode = 1;
      break;
    }
    await sleep(1000 * attempt);
  }
}
