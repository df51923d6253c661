// Starts the binary in place of this process, as far as Node can: same environment, streams, signals and exit code.

import { spawn } from 'node:child_process';

const isWindows = process.platform === 'win32';

/** Runs the binary under a name, without a shell, until it ends. Throws if it can't be started. */
export async function run(binary, name) {
  let child;
  // The runner signals only this process. On Windows it signals everything in the console, so the binary gets the
  // signal, too, and must not be killed here.
  for (const signal of isWindows ? ['SIGINT', 'SIGBREAK'] : ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => isWindows || child.kill(signal));
  }
  child = spawn(binary, [], { argv0: name, stdio: 'inherit' });
  const { code, signal } = await new Promise((resolve, reject) => {
    child.on('error', (error) => child.pid ?? reject(new Error(`${binary} can't be started: ${error.message}`)));
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
  process.exitCode = code ?? 1;
  if (signal) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  }
}

/** Fails the step, with an annotation. */
export function fail(message) {
  const escaped = message.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  console.log(`::error title=trigger-pipeline can't start::trigger-pipeline can't start: ${escaped}`);
  process.exitCode = 1;
}
