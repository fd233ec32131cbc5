//! Reading query strings. What is not known is ignored; what is known and ambiguous is refused.

use std::borrow::Cow;

use crate::problem::Problem;

/// LIMIT: parameters in one query.
const PAIRS_MAX: usize = 64;

/// The parameters of a query string.
#[derive(Debug)]
pub(crate) struct Query<'q> {
    pairs: Vec<(Cow<'q, str>, Cow<'q, str>)>,
}

impl<'q> Query<'q> {
    /// # Errors
    /// 400 for NUL, for bytes that are not UTF-8 and for too many parameters.
    pub(crate) fn parse(text: Option<&'q str>) -> Result<Self, Problem> {
        let pairs: Vec<_> =
            url::form_urlencoded::parse(text.unwrap_or_default().as_bytes()).take(PAIRS_MAX + 1).collect();
        if pairs.len() > PAIRS_MAX {
            return Err(Problem::invalid("query", "too many query parameters"));
        }
        // The parser puts U+FFFD where bytes are not UTF-8.
        if pairs.iter().any(|(_, value)| value.contains(['\0', '\u{fffd}'])) {
            return Err(Problem::invalid("query", "a query parameter is not plain text"));
        }
        Ok(Self { pairs })
    }

    /// A parameter that may appear once; blank counts as absent.
    pub(crate) fn one<'s>(&'s self, name: &str) -> Result<Option<&'s str>, Problem> {
        let mut all = self.all(name);
        match (all.next(), all.next()) {
            (Some(_), Some(_)) => Err(Problem::invalid(name, "the parameter appears twice")),
            (found, _) => Ok(found.map(str::trim).filter(|text| !text.is_empty())),
        }
    }

    /// Every value of a parameter.
    pub(crate) fn all<'s, 'n>(&'s self, name: &'n str) -> impl Iterator<Item = &'s str> + use<'s, 'n, 'q> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    /// A parameter that `read` understands.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        what: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        match self.one(name)? {
            None => Ok(None),
            Some(text) => read(text).map(Some).ok_or_else(|| Problem::invalid(name, what)),
        }
    }

    /// An id parameter.
    pub(crate) fn id<T: TryFrom<String>>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.read(name, "an id is 1 to 200 visible ASCII characters", |text| T::try_from(text.to_owned()).ok())
    }

    /// A time parameter.
    pub(crate) fn time(&self, name: &str) -> Result<Option<model::Time>, Problem> {
        self.read(name, "not an RFC 3339 time such as `2026-01-02T03:04:05Z`", |text| model::Time::parse(text).ok())
    }
}
