"""Prints the script of a job in a `.gitlab-ci.yml`, which must be a single block.

    gitlab-script.py FILE JOB
"""

import re
import sys
import textwrap
from pathlib import Path


def main() -> None:
    text, job = Path(sys.argv[1]).read_text(), sys.argv[2]
    # From the job's name to the next line that isn't indented.
    body = re.search(rf"^{re.escape(job)}:\n((?:(?: .*)?\n)+)", text, re.MULTILINE)
    if not body:
        raise SystemExit(f"error: there is no job {job}")
    script = re.search(r"^  script:\n(?:    #.*\n)*    - \|\n((?:(?:      .*)?\n)+)", body[1], re.MULTILINE)
    if not script:
        raise SystemExit(f"error: {job} has no script of one block")
    print(textwrap.dedent(script[1]), end="")


main()
