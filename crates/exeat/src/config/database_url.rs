//! Where the store is. It may hold a password, so it does not print itself.

use std::fmt;

/// A `sqlite:` or `postgres:` address. `Debug` and `Display` hide the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Takes `sqlite:…`, `postgres://…` or `postgresql://…`; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let file = text.strip_prefix("sqlite:").is_some_and(|rest| !rest.is_empty());
        let server = text.starts_with("postgres://") || text.starts_with("postgresql://");
        (file || server).then(|| Self(text.to_owned()))
    }

    /// The whole address, password and all: for the store, for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// The address with everything that could be a password replaced: the part before `@`'s colon, and
/// a `password` in the query. An address that is not a URL is not shown past its scheme.
fn shown(text: &str) -> String {
    if text.starts_with("sqlite:") {
        return text.to_owned();
    }
    let Ok(mut url) = url::Url::parse(text) else {
        return format!("{}:…", text.split(':').next().unwrap_or_default());
    };
    if url.password().is_some() && url.set_password(Some("***")).is_err() {
        return format!("{}:…", url.scheme());
    }
    if url.query().is_some() {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                let secret = name.to_lowercase().contains("pass");
                (name.into_owned(), if secret { "***".to_owned() } else { value.into_owned() })
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_password() {
        for text in [
            "postgres://app:hunter2@db/exeat",
            "postgres://db/exeat?user=app&password=hunter2",
            "postgresql://app:hunter2@[::1:5432/x",
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert_eq!(url.expose(), text);
            assert!(!url.to_string().contains("hunter2"), "{url}");
            assert!(!format!("{url:?}").contains("hunter2"));
        }
        assert_eq!(DatabaseUrl::parse("postgres://app@db/exeat").unwrap().to_string(), "postgres://app@db/exeat");
        assert_eq!(DatabaseUrl::parse("sqlite:/var/lib/exeat.db").unwrap().to_string(), "sqlite:/var/lib/exeat.db");
    }

    #[test]
    fn refuses_other_stores() {
        for text in ["", "sqlite:", "mysql://db/x", "exeat.db", "postgres"] {
            assert_eq!(DatabaseUrl::parse(text), None, "{text}");
        }
    }
}
