"""Copies the workflows of a folder, with the sandbox in place of the providers' servers.

    on-sandbox.py FOLDER COPY SERVER

Each step that uses this action gets `server-url`, and so does each entry of `targets` that a script makes for GitLab or
Bitbucket, which does not inherit it. Changes nothing else, and fails if there is nothing to change.
"""

import re
import sys
from pathlib import Path

ACTION = "uses: octo-org/trigger-pipeline@v1\n"
# The step's inputs must follow immediately.
STEP = re.compile(re.escape(ACTION) + r"( +)with:\n")
ENTRY = re.compile(r'provider: "(?:gitlab|bitbucket)",\n')


def on_sandbox(text: str, server: str) -> tuple[str, int]:
    """Returns the changed workflow, and the number of its steps that use the action."""
    text, entries = ENTRY.subn(lambda entry: f'"server-url": "{server}", {entry[0]}', text)
    text, steps = STEP.subn(lambda step: f"{step[0]}{step[1]}  server-url: {server}\n", text)
    if steps != text.count(ACTION):
        raise SystemExit("error: a step uses the action in a way that is not known here")
    if entries != text.count('provider: "'):
        raise SystemExit("error: an entry has its provider in a way that is not known here")
    return text, steps


def main() -> None:
    folder, copy, server = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    steps = 0
    for path in sorted(folder.glob("*.yml")):
        text, of_this = on_sandbox(path.read_text(), server)
        (copy / path.name).write_text(text)
        steps += of_this
    if not steps:
        raise SystemExit(f"error: no workflow of {folder} uses the action")


main()
