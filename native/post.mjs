// After the other steps of a cancelled job: the same binary under the name that makes it finish what the step has
// started. Without a binary the step can't have started anything.

import { find } from './binary.mjs';
import { fail, run } from './process.mjs';

try {
  const binary = find();
  if (binary) await run(binary, 'trigger-pipeline-post');
} catch (error) {
  fail(error.message);
}
