//! The issue forms in `.github/ISSUE_TEMPLATE`: GitHub doesn't show a form that it can't read.

use std::collections::BTreeSet;

use serde_json::Value;

use super::documents::{document, names, root, yaml};

const FOLDER: &str = ".github/ISSUE_TEMPLATE";

fn parsed(name: &str) -> Value {
    let form = document(format!("{FOLDER}/{name}"));
    yaml(&form.text).unwrap_or_else(|why| panic!("{name}: {why}"))
}

fn text<'form>(node: &'form Value, key: &str) -> &'form str {
    node[key].as_str().unwrap_or_default()
}

#[test]
fn issue_forms_are_valid() {
    let mut forms = names(&root().join(FOLDER));
    assert!(forms.remove(std::ffi::OsStr::new("config.yml")));
    assert_eq!(forms.len(), 2, "{forms:?}");
    for name in forms.iter().filter_map(|name| name.to_str()) {
        let form = parsed(name);
        for key in ["name", "description"] {
            assert!(!text(&form, key).is_empty(), "{name} has no {key}");
        }
        let mut ids = BTreeSet::new();
        for field in form["body"].as_array().expect("a list of fields") {
            let attributes = &field["attributes"];
            match text(field, "type") {
                "markdown" => assert!(!text(attributes, "value").is_empty(), "{name}"),
                kind @ ("input" | "textarea" | "dropdown") => {
                    let id = text(field, "id");
                    assert!(ids.insert(id), "{name}: two fields `{id}`");
                    assert!(!text(attributes, "label").is_empty(), "{name}: {id}");
                    assert_eq!(attributes["options"].is_array(), kind == "dropdown");
                }
                other => panic!("{name}: no field is of type `{other}`"),
            }
        }
        if name == "bug.yml" {
            for id in ["step", "log", "version", "provider", "server"] {
                assert!(ids.contains(id), "{name} doesn't ask for `{id}`");
            }
        }
    }
}

#[test]
fn vulnerabilities_are_reported_privately() {
    let config = parsed("config.yml");
    let link = &config["contact_links"][0];
    assert!(text(link, "url").ends_with("/security/policy"), "{link}");
    for name in ["bug.yml", "config.yml"] {
        let form = document(format!("{FOLDER}/{name}")).text;
        assert!(form.contains("privately"), "{name}");
    }
}
