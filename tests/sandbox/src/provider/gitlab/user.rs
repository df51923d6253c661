//! GitLab's description of a user, as embedded in other responses.

use serde_json::{Value, json};

use super::Call;

pub(super) fn describe(call: &Call<'_>, username: &str) -> Value {
    json!({
        "id": id_of(username),
        "username": username,
        "public_email": "",
        "name": username,
        "state": "active",
        "locked": false,
        "avatar_url": null,
        "web_url": format!("{}/{username}", call.origin),
    })
}

/// Returns a fake id, always the same for the same name.
fn id_of(username: &str) -> u64 {
    let digits = |id: u64, byte: u8| (id * 31 + u64::from(byte)) % 1_000_000;
    username.bytes().fold(1, digits)
}
