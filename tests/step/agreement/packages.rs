//! The packages for other CI systems, and the files to copy on their pages: they only set inputs that exist, and the
//! binary accepts them.

use std::collections::BTreeMap;

use sandbox::world::Scenario;
use sandbox::{Provider, demo};
use serde_json::Value;

use super::documents::{declared, document, yaml};
use crate::calls::{SECOND, own_runs, with_scenario};
use crate::program::Program;

/// Defaults of the inputs, without expressions of GitHub Actions.
fn defaults() -> BTreeMap<String, String> {
    let inputs = declared("inputs").into_iter();
    inputs
        .map(|(name, default, _)| (name, default))
        .filter(|(_, default)| !default.contains("${{"))
        .collect()
}

fn input_name(variable: &str) -> String {
    variable.to_lowercase().replace('_', "-")
}

#[test]
fn the_pipe_declares_inputs_with_their_defaults() {
    let pipe = yaml(&document("pipe.yml").text).unwrap();
    let defaults = defaults();
    let variables = pipe["variables"].as_array().unwrap();
    assert!(variables.len() > 10);
    for variable in variables {
        let name = input_name(variable["name"].as_str().unwrap());
        assert_eq!(variable["default"], defaults[&name].as_str(), "{name}");
    }
}

#[test]
fn the_component_passes_each_of_its_inputs_on() {
    let component = document("templates/trigger-pipeline.yml").text;
    let (header, job) = component.split_once("\n---\n").unwrap();
    let header = yaml(header).unwrap();
    let inputs = header["spec"]["inputs"].as_object().unwrap();
    let job = yaml(job).unwrap();
    let (_, job) = job.as_object().unwrap().iter().next().unwrap();
    let variables = job["variables"].as_object().unwrap();
    let of_job = ["job-name", "stage", "image"];
    assert_eq!(variables.len(), inputs.len() - of_job.len());
    let defaults = defaults();
    for (variable, value) in variables {
        let name = input_name(variable.strip_prefix("INPUT_").unwrap());
        assert_eq!(value["value"], format!("$[[ inputs.{name} ]]"));
        assert_eq!(value["expand"], "false", "{name}");
        // An empty timeout is the job's own.
        let default = Some(&defaults[&name]).filter(|_| name != "timeout");
        let given = &inputs[&name]["default"];
        assert_eq!(given, default.map_or("", String::as_str), "{name}");
    }
}

/// Returns the first YAML of a page.
fn first_yaml(page: &str) -> Value {
    let page = document(page);
    let blocks = page.blocks();
    let first = blocks.iter().find(|block| block.language == "yaml");
    yaml(&first.expect("a file to copy").code).expect("it is YAML")
}

/// Variables as a CI system passes them. Mappings are passed as JSON.
fn variables(node: &Value, name: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let pairs = node.as_object().expect("a mapping").iter();
    let pairs = pairs.map(|(key, value)| {
        let value = value.get("value").unwrap_or(value);
        let text = value.as_str().map(str::to_owned);
        (name(key), text.unwrap_or_else(|| value.to_string()))
    });
    pairs.collect()
}

/// Runs the binary with these variables on the sandbox. It must trigger `build.yml` with the version.
fn passes(variables: &[(String, String)], host: &[(&str, &str)], server: &str, token: &str) {
    let sandbox = with_scenario(Provider::GitHub, Scenario::passing(SECOND));
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| *name != token)
        .collect();
    let program = Program::new(&[])
        .environment(host)
        .environment(&variables)
        .environment(&[(server, &sandbox.http_url()), (token, demo::GITHUB_CLASSIC)]);
    let folder = program.folder();
    let program = program.environment(&[("CI_PROJECT_DIR", &folder)]);
    program.run().code(0);
    let run = &own_runs(&sandbox)[0];
    assert_eq!(run.repository, "octo-org/app");
    let inputs = &sandbox.trigger_requests()[0].json().expect("a body")["inputs"];
    assert!(inputs["version"].is_string(), "{inputs}");
}

#[test]
fn the_files_to_copy_work() {
    let job = &first_yaml("docs/hosts/gitlab-ci.md")["trigger"];
    let of_job = variables(&job["variables"], str::to_owned);
    let host = [("GITLAB_CI", "true")];
    passes(&of_job, &host, "INPUT_SERVER_URL", "INPUT_TOKEN");
    assert_eq!(job["script"][0], "trigger-pipeline");

    let step = &first_yaml("docs/hosts/bitbucket-pipelines.md")["pipelines"]["default"][0]["step"];
    let of_pipe = variables(&step["script"][0]["variables"], str::to_owned);
    let host = [
        ("BITBUCKET_BUILD_NUMBER", "1"),
        ("BITBUCKET_PIPE_STORAGE_DIR", "/tmp"),
    ];
    passes(&of_pipe, &host, "SERVER_URL", "TOKEN");

    let step = &first_yaml("docs/hosts/woodpecker.md")["steps"][0];
    let plugin = |name: &str| format!("PLUGIN_{}", name.to_uppercase().replace('-', "_"));
    let of_plugin = variables(&step["settings"], plugin);
    let host = [("CI", "woodpecker")];
    passes(&of_plugin, &host, "PLUGIN_SERVER_URL", "PLUGIN_TOKEN");
}
