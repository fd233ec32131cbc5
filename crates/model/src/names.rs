//! A sorted list of names that is looked up and never changed: smaller than a hash set and, at the
//! sizes a scope has, as fast.

/// Names in byte order, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names(Box<[Box<str>]>);

impl Names {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.binary_search_by(|entry| (**entry).cmp(name)).is_ok()
    }

    /// Whether the list has the name that `parts` make one after the other.
    pub(crate) fn contains_joined(&self, parts: &[&str]) -> bool {
        self.0.binary_search_by(|entry| entry.bytes().cmp(parts.iter().flat_map(|part| part.bytes()))).is_ok()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }
}

impl<S: Into<Box<str>>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut names: Vec<Box<str>> = names.into_iter().map(Into::into).collect();
        names.sort_unstable();
        names.dedup();
        Self(names.into_boxed_slice())
    }
}
