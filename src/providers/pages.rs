//! Lists and their pages: page sizes, smaller pages for overloaded servers, and lists that skip unreadable entries.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::providers::error::Error;

/// Largest page size that providers offer.
const MAX_ENTRIES: usize = 100;
/// Maximum number of pages that are read of a list. GitHub itself returns at most 1,000 runs per search.
pub(super) const MAX_PAGES: usize = 10;

/// Page sizes, tried in this order: an overloaded server may still return a smaller page.
pub(super) const PAGE_SIZES: [usize; 3] = [MAX_ENTRIES, 30, 10];
/// Page sizes for reads that only prove that runs can be read.
pub(super) const PROOF_SIZES: [usize; 2] = [20, 10];

/// Calls `read` with the first page size, and with the next one if the response is too large or the server fails.
pub(super) async fn try_sizes<T>(
    sizes: &[usize],
    read: impl AsyncFn(usize) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut sizes = sizes.iter().peekable();
    loop {
        let size = sizes.next().copied().unwrap_or(1);
        match read(size).await {
            Err(error) if error.suggests_smaller_page() && sizes.peek().is_some() => {}
            read => return read,
        }
    }
}

/// The entries on the pages that were read.
pub(super) struct Entries<T> {
    pub(super) list: Vec<T>,
    /// Number of entries on these pages, readable or not, if there are more pages.
    pub(super) cut_at: Option<usize>,
}

/// A list that is deserialised entry by entry.
pub(super) struct List<T> {
    /// The readable entries among the first [`MAX_ENTRIES`].
    pub(super) entries: Vec<T>,
    /// Number of all entries, readable or not.
    pub(super) length: usize,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            length: 0,
        }
    }
}

impl<T> List<T> {
    /// Whether this page of `size` entries is the last one. `read` is the number of entries on all pages so far,
    /// `total` the number that the server reports.
    pub(super) fn is_last(&self, size: usize, read: usize, total: Option<usize>) -> bool {
        self.length == 0 || total.map_or(self.length < size, |total| read >= total)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
        let mut list = List::default();
        let mut has_objects = false;
        while list.length < MAX_ENTRIES
            && let Some(entry) = seq.next_element::<&RawValue>()?
        {
            list.length += 1;
            has_objects |= entry.get().starts_with('{');
            list.entries
                .extend(serde_json::from_str::<T>(entry.get()).ok());
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            list.length += 1;
        }
        if list.length > 0 && !has_objects {
            return Err(A::Error::custom("not a list of objects"));
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::error::ErrorKind;
    use crate::testing::arbitrary;
    use serde_json::json;
    use std::cell::RefCell;

    #[derive(Deserialize)]
    struct Entry {
        #[serde(rename = "id")]
        _id: u64,
    }

    #[test]
    fn an_unreadable_entry_is_skipped() {
        let good = json!({ "id": 1, "status": "queued" });
        let unreadable = [json!(null), json!([]), json!("x"), json!({ "id": -1 })];
        let mut all = unreadable.to_vec();
        all.push(good.clone());
        let list: List<Entry> = serde_json::from_str(&json!(all).to_string()).unwrap();
        assert_eq!((list.entries.len(), list.length), (1, 5));
        let many = json!(vec![good; MAX_ENTRIES + 7]).to_string();
        let list: List<Entry> = serde_json::from_str(&many).unwrap();
        assert_eq!(
            (list.entries.len(), list.length),
            (MAX_ENTRIES, MAX_ENTRIES + 7)
        );
        for other in ["{}", "[[]]", "[null]"] {
            assert!(serde_json::from_str::<List<Entry>>(other).is_err());
        }
    }

    #[tokio::test]
    async fn smaller_pages_are_tried_only_after_server_errors() {
        let sizes_tried = async |kind, status: u16| {
            let sizes = RefCell::new(Vec::new());
            let read = try_sizes(&PAGE_SIZES, async |size| {
                sizes.borrow_mut().push(size);
                if size < 30 {
                    return Ok(());
                }
                let response = arbitrary::empty_response(status);
                Err::<(), _>(Error::new(kind, "no").with_response(response))
            });
            let _ = read.await;
            sizes.into_inner()
        };
        assert_eq!(sizes_tried(ErrorKind::Unknown, 502).await, [100, 30, 10]);
        assert_eq!(sizes_tried(ErrorKind::Rejected, 404).await, [100]);
        assert_eq!(sizes_tried(ErrorKind::RateLimited(None), 429).await, [100]);
    }
}
