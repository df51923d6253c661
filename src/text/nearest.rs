//! "Did you mean" suggestions.

/// Returns the known name that is most similar to a mistyped one, if any is similar enough.
pub(crate) fn nearest<'names>(
    name: &str,
    names: impl Iterator<Item = &'names str>,
) -> Option<&'names str> {
    names
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len() / 2)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_similar_names_are_suggested() {
        let names = ["token", "event-type", "ref"];
        assert_eq!(nearest("tokn", names.into_iter()), Some("token"));
        assert_eq!(nearest("event_type", names.into_iter()), Some("event-type"));
        assert_eq!(nearest("something-else", names.into_iter()), None);
        assert_eq!(nearest("token", std::iter::empty()), None);
    }
}
