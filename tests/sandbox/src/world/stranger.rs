//! Runs like a triggered one, but started by somebody else.

use serde_json::Value;

use super::{Run, State};

impl Run {
    /// Turns the run into a similar one started by somebody else. If it has a marker, the other one has its own.
    pub(super) fn into_strangers_run(mut self, name: &str, index: usize) -> Self {
        if let Some(marker) = self.marker() {
            let theirs = format!("00000000-0000-4000-8000-{index:012}");
            self.replace_marker(&marker, &theirs);
        }
        name.clone_into(&mut self.actor);
        self.by_stranger = true;
        self.cancelled = false;
        self.cancel_requested_at = None;
        self.cancels_refused = 0;
        self.approved_at.clear();
        self.earlier.clear();
        self.kept.clear();
        self.rerun_by = None;
        if self.scenario.is_some() {
            // Its scenario starts from the beginning.
            self.state = State::Queued;
        }
        self
    }

    /// Returns the `trigger_id` of the payload, or a UUID that is the value of an input or a variable.
    fn marker(&self) -> Option<String> {
        let payload = self.client_payload.as_ref();
        let in_payload = payload.and_then(|payload| payload["trigger_id"].as_str());
        let inputs = self.inputs.values().filter_map(Value::as_str);
        let variables = self
            .variables
            .iter()
            .map(|variable| variable.value.as_str());
        let mut others = inputs.chain(variables).filter(|value| is_uuid(value));
        in_payload.or_else(|| others.next()).map(str::to_owned)
    }

    /// Replaces the marker wherever the API shows it.
    fn replace_marker(&mut self, marker: &str, theirs: &str) {
        self.title = self.title.replace(marker, theirs);
        for value in self.inputs.values_mut() {
            if let Value::String(text) = value {
                *text = text.replace(marker, theirs);
            }
        }
        for variable in self.variables.iter_mut().chain(&mut self.trigger_payload) {
            variable.value = variable.value.replace(marker, theirs);
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let is_hexadecimal = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    lengths == [8, 4, 4, 4, 12] && groups.iter().all(is_hexadecimal)
}
