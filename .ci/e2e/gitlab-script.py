"""Prints the script of a job, which is one block of a `.gitlab-ci.yml`, as it is written there.

    gitlab-script.py FILE JOB
"""

import re
import sys
import textwrap
from pathlib import Path


def main() -> None:
    text, job = Path(sys.argv[1]).read_text(), sys.argv[2]
    # From the job's name on, up to the next line that is not indented.
    body = re.search(rf"^{re.escape(job)}:\n((?:(?: .*)?\n)+)", text, re.MULTILINE)
    if not body:
        raise SystemExit(f"error: there is no job {job}")
    script = re.search(r"^  script:\n(?:    #.*\n)*    - \|\n((?:(?:      .*)?\n)+)", body[1], re.MULTILINE)
    if not script:
        raise SystemExit(f"error: {job} has no script of one block")
    print(textwrap.dedent(script[1]), end="")


main()
