"""python-gitlab against the sandbox.
    python3 python_gitlab.py HTTP_PORT
Prints what was done. Needs the packages in requirements.txt.
"""

import io
import os
import sys
import time
import zipfile

import gitlab

SERVER = f"http://127.0.0.1:{sys.argv[1]}"
TOKEN = os.environ["SANDBOX_GITLAB_TOKEN"]
MAINTAINER = os.environ["SANDBOX_GITLAB_MAINTAINER"]
READER = os.environ["SANDBOX_GITLAB_READER"]
TRIGGER_TOKEN = os.environ["SANDBOX_GITLAB_TRIGGER_TOKEN"]
PATH = "octo-group/tools/deployer"


def equal(found, wanted):
    """Fails unless both are equal."""
    if found != wanted:
        raise AssertionError(f"{found!r} is not {wanted!r}")


def rejects(call, kind, status, message):
    """The call fails with the client's own class of error, with the response's status and message."""
    try:
        call()
    except gitlab.exceptions.GitlabError as error:
        equal((type(error), error.response_code, error.error_message), (kind, status, message))
    else:
        raise AssertionError(f"not rejected: {message}")


def until(pipeline, is_so):
    """Reads the pipeline until the condition holds."""
    for _ in range(150):
        pipeline.refresh()
        if is_so(pipeline):
            return
        time.sleep(0.2)
    raise AssertionError(f"pipeline {pipeline.id} stays {pipeline.status}")


def ids(project):
    """Ids of all its pipelines, newest first, read page by page."""
    return [pipeline.id for pipeline in project.pipelines.list(iterator=True, per_page=3)]


def started(project, start):
    """Starts a pipeline, and checks that it is the only new one."""
    before = ids(project)
    pipeline = start()
    equal(ids(project), [pipeline.id, *before])
    equal(pipeline.project_id, project.id)
    return pipeline


client = gitlab.Gitlab(SERVER, private_token=TOKEN)
client.auth()
equal(client.user.username, "octavia")
project = client.projects.get(PATH)
equal((project.id, project.path_with_namespace, project.default_branch), (4242, PATH, "main"))
equal(client.projects.get(4242).asdict(), project.asdict())

# Triggers.
VARIABLES = [
    {"key": "VERSION", "value": "1.10"},
    {"key": "SETTINGS", "value": "a=b", "variable_type": "file"},
]
by_variables = started(project, lambda: project.pipelines.create({"ref": "release", "variables": VARIABLES}))
equal((by_variables.ref, by_variables.source, by_variables.tag), ("release", "api", False))
by_inputs = started(
    project,
    lambda: project.pipelines.create(
        {"ref": "v3.0.0", "inputs": {"environment": "production", "replicas": 3, "debug": True, "regions": ["eu"]}}
    ),
)
equal((by_inputs.ref, by_inputs.tag), ("v3.0.0", True))
by_oauth = gitlab.Gitlab(SERVER, oauth_token=TOKEN).projects.get(PATH, lazy=True)
started(project, lambda: by_oauth.pipelines.create({"ref": "main"}))
anonymous = gitlab.Gitlab(SERVER).projects.get(PATH)
by_trigger = started(
    project,
    lambda: anonymous.trigger_pipeline(
        "main", TRIGGER_TOKEN, variables={"VERSION": "1.10"}, inputs={"environment": "production"}
    ),
)
equal((by_trigger.source, by_trigger.user["username"]), ("trigger", "octavia"))

# Lists: the same content for each kind of pagination, and filters.
everything = ids(project)
equal([pipeline.id for pipeline in project.pipelines.list(get_all=True, per_page=2)], everything)
equal([pipeline.id for pipeline in project.pipelines.list(page=1, per_page=2)], everything[:2])
pages = project.pipelines.list(iterator=True, per_page=2)
equal((pages.total, pages.per_page, pages.current_page), (len(everything), 2, 1))
triggered = project.pipelines.list(source="trigger", ref="main", per_page=1, page=1)
equal([pipeline.id for pipeline in triggered], [by_trigger.id])
equal(ids(client.projects.get(4242, lazy=True)), everything)
# An entry of a list has fewer fields than the pipeline read by id.
in_list = project.pipelines.list(page=1, per_page=1)[0].asdict()
alone = project.pipelines.get(everything[0]).asdict()
equal(set(in_list) - set(alone), set())
equal({"user", "detailed_status", "started_at", "finished_at", "duration"} & set(in_list), set())

# A pipeline that runs until it is cancelled: it starts one in another project, then waits for a person.
private = gitlab.Gitlab(SERVER, private_token=MAINTAINER).projects.get("octo-group/tools/private")
waiting = started(private, lambda: private.pipelines.create({"ref": "main"}))
until(waiting, lambda pipeline: pipeline.status == "manual")
held = [(job.name, job.status) for job in waiting.jobs.list(get_all=True)]
equal(held, [("deploy", "manual"), ("build", "success")])
bridges = waiting.bridges.list(get_all=True)
equal([(bridge.name, bridge.status) for bridge in bridges], [("downstream", "success")])
equal(bridges[0].downstream_pipeline["project_id"], project.id)
equal(bridges[0].pipeline["id"], waiting.id)
# This client doesn't know the newer name of the endpoint yet.
newer = private.manager.gitlab.http_list(f"/projects/{private.id}/pipelines/{waiting.id}/trigger_jobs", get_all=True)
equal([bridge["id"] for bridge in newer], [bridge.id for bridge in bridges])
equal(waiting.cancel()["id"], waiting.id)
until(waiting, lambda pipeline: pipeline.status == "canceled")
# The response is the same in every state.
equal(waiting.cancel()["status"], "canceled")
ended = {job.name: job.status for job in waiting.jobs.list(get_all=True)}
equal(ended, {"build": "success", "deploy": "canceled"})

# A retry: its cancelled job runs again in the same pipeline.
waiting.retry()
until(waiting, lambda pipeline: pipeline.status == "manual")
equal([(job.name, job.status) for job in waiting.jobs.list(get_all=True)], held)
everything_run = [job.status for job in waiting.jobs.list(get_all=True, include_retried=True)]
equal(sorted(everything_run), ["canceled", "manual", "success"])
waiting.cancel()

# The variables and the name of a pipeline.
variables = {variable.key: variable.asdict() for variable in by_variables.variables.list(get_all=True)}
equal({key: variable["value"] for key, variable in variables.items()}, {"VERSION": "1.10", "SETTINGS": "a=b"})
equal(variables["SETTINGS"]["variable_type"], "file")
kept = project.pipelines.get(by_trigger.id).variables.list(get_all=True)
equal([variable.key for variable in kept], ["VERSION", "TRIGGER_PAYLOAD"])
equal(project.pipelines.list(get_all=True, name="nobody has this name"), [])

# A finished pipeline, its jobs, logs and artifacts.
until(by_trigger, lambda pipeline: pipeline.status == "success")
equal(by_trigger.detailed_status["text"], "success")
assert by_trigger.duration > 0, by_trigger
jobs = by_trigger.jobs.list(iterator=True, per_page=1)
jobs = {job.name: job.id for job in jobs}
equal(list(jobs), ["deploy", "test", "build"])
deploy = project.jobs.get(jobs["deploy"])
equal((deploy.status, deploy.pipeline["id"], deploy.ref), ("success", by_trigger.id, "main"))
trace = deploy.trace()
assert trace.endswith(b"\n"), trace
files = {file["file_type"]: file["size"] for file in deploy.asdict()["artifacts"]}
equal(sorted(files), ["archive", "trace"])
equal(files["trace"], len(trace))
equal(deploy.artifact("result.json"), b'{"replicas": 3}')
# Uses a lazy job: a job that was read has an attribute that hides the method of the same name.
archive = project.jobs.get(deploy.id, lazy=True).artifacts()
equal(len(archive), files["archive"])
equal(zipfile.ZipFile(io.BytesIO(archive)).namelist(), ["result.json"])

# Errors.
ERRORS = gitlab.exceptions
stranger = gitlab.Gitlab(SERVER, private_token="glpat-wrong").projects.get(PATH, lazy=True)
rejects(lambda: stranger.pipelines.create({"ref": "main"}), ERRORS.GitlabAuthenticationError, 401, "401 Unauthorized")
rejects(lambda: client.projects.get("octo-group/missing"), ERRORS.GitlabGetError, 404, "404 Project Not Found")
reader = gitlab.Gitlab(SERVER, private_token=READER).projects.get(PATH)
rejects(lambda: reader.pipelines.create({"ref": "main"}), ERRORS.GitlabCreateError, 403, "insufficient_scope")
rejects(
    lambda: project.pipelines.create({"ref": "missing"}),
    ERRORS.GitlabCreateError,
    400,
    {"base": ["Reference not found"]},
)
rejects(
    lambda: project.pipelines.create({"ref": "main", "inputs": {"replicas": "three"}}),
    ERRORS.GitlabCreateError,
    400,
    {"base": ["`replicas` input: provided value is not a number"]},
)
rejects(
    lambda: project.pipelines.create({"ref": "main", "variables": "text"}),
    ERRORS.GitlabCreateError,
    400,
    "variables is invalid",
)
rejects(lambda: project.trigger_pipeline("main", "glptt-wrong"), ERRORS.GitlabCreateError, 404, "404 Not Found")
# An access token isn't a trigger token.
rejects(lambda: project.trigger_pipeline("main", TOKEN), ERRORS.GitlabCreateError, 404, "404 Not Found")
rejects(lambda: project.pipelines.get(1), ERRORS.GitlabGetError, 404, "404 Pipeline Not Found")
rejects(lambda: project.jobs.get(1), ERRORS.GitlabGetError, 404, "404 Not found")
unread = reader.pipelines.get(by_trigger.id, lazy=True)
rejects(unread.cancel, ERRORS.GitlabPipelineCancelError, 403, "insufficient_scope")
equal(ids(project), everything)
print("GitLab: python-gitlab accepts the sandbox")
