//! Reading, checking and narrowing the text of a token.

use std::ops::Range;

use data_encoding::BASE64URL_NOPAD;

use super::mac::{self, Key};
use super::read::links;
use super::{Caveat, LINKS_MAX, Narrowing, PREFIX, TOKEN_BYTES_MAX};
use crate::TokenId;

/// A token as it was shown. Nothing is proven until [`Bearer::verify`].
///
/// A token whose id has a `.` has no bearer form.
pub struct Bearer<'a> {
    token_id: &'a str,
    form: Form,
}

enum Form {
    Whole { secret: Key },
    Narrowed { caveats: String, links: Vec<Range<usize>>, mac: Key },
}

/// The text is not a token. It does not say why, so that nobody can tell tokens apart by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a capability token: `cap1.<id>.<secret>` or `cap1.<id>.<caveats>.<mac>`")]
pub struct InvalidBearer;

/// Why a token cannot be narrowed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttenuateError {
    /// It has all the links it can have.
    #[error("a token has at most {LINKS_MAX} caveats")]
    TooManyLinks,
    /// It would be too long.
    #[error("a token is at most {TOKEN_BYTES_MAX} bytes long")]
    TooLong,
}

/// A token that is what it says it is. Whether it still lives is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What its caveats leave; nothing is taken away from a whole token.
    pub narrowing: Option<Narrowing>,
    /// Its links, in order; none for a whole token.
    pub links: Vec<Link>,
}

/// One link of a verified token.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// The HMAC of the chain up to here. Whoever has it can narrow the token from here on: a secret.
    pub mac: [u8; super::KEY_BYTES],
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link(..)")
    }
}

/// The whole token with this id and secret.
#[must_use]
pub fn mint(token_id: &TokenId, secret: &[u8; super::KEY_BYTES]) -> String {
    format!("{PREFIX}{token_id}.{}", BASE64URL_NOPAD.encode(secret))
}

impl<'a> Bearer<'a> {
    /// Reads a token. At most [`TOKEN_BYTES_MAX`] bytes and [`LINKS_MAX`] links.
    ///
    /// # Errors
    /// [`InvalidBearer`] for everything else.
    pub fn parse(text: &'a str) -> Result<Self, InvalidBearer> {
        Self::read(text).ok_or(InvalidBearer)
    }

    fn read(text: &'a str) -> Option<Self> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let mut parts = text.strip_prefix(PREFIX)?.split('.');
        let (token_id, second) = (parts.next()?, parts.next()?);
        TokenId::parse(token_id).ok()?;
        let form = match parts.next() {
            None => Form::Whole { secret: key(second)? },
            Some(third) => {
                let bytes = BASE64URL_NOPAD.decode(second.as_bytes()).ok()?;
                let caveats = String::from_utf8(bytes).ok()?;
                let links = links(&caveats)?;
                Form::Narrowed { caveats, links, mac: key(third)? }
            }
        };
        parts.next().is_none().then_some(Self { token_id, form })
    }

    /// The id of the token that it is, or was narrowed from.
    #[must_use]
    pub fn token_id(&self) -> &str {
        self.token_id
    }

    /// How many caveats it has.
    #[must_use]
    pub fn link_count(&self) -> usize {
        match &self.form {
            Form::Whole { .. } => 0,
            Form::Narrowed { links, .. } => links.len(),
        }
    }

    /// Checks it against the secret of the token with its id, in constant time.
    ///
    /// `None` when it was not made from that secret, or when a caveat has a member that is not known
    /// here or another spelling than the canonical one.
    #[must_use]
    pub fn verify(&self, secret: &[u8; super::KEY_BYTES]) -> Option<Verified> {
        match &self.form {
            Form::Whole { secret: shown } => {
                mac::same(secret, shown).then(|| Verified { narrowing: None, links: Vec::new() })
            }
            Form::Narrowed { caveats, links, mac: shown } => {
                let text = |link: &Range<usize>| caveats.get(link.clone());
                let (last, before) = links.split_last()?;
                let mut key = mac::start(secret, self.token_id);
                let mut chain = Vec::with_capacity(links.len());
                for link in before {
                    key = mac::next(&key, text(link)?.as_bytes());
                    chain.push(Link { mac: key });
                }
                if !mac::next_is(&key, text(last)?.as_bytes(), shown) {
                    return None;
                }
                chain.push(Link { mac: *shown });
                // Read only now: what no holder of the token wrote is not looked into.
                let caveats: Option<Vec<Caveat>> = links.iter().map(|link| Caveat::read(text(link)?)).collect();
                Some(Verified { narrowing: Some(Narrowing::from(caveats?)), links: chain })
            }
        }
    }

    /// The same token with one caveat more. Needs nothing but the token.
    ///
    /// # Errors
    /// [`AttenuateError`] when it has no room for that.
    pub fn attenuate(&self, caveat: &Caveat) -> Result<String, AttenuateError> {
        if self.link_count() >= LINKS_MAX {
            return Err(AttenuateError::TooManyLinks);
        }
        let more = caveat.to_bytes();
        let (caveats, key) = match &self.form {
            Form::Whole { secret } => (format!("[{more}]"), mac::start(secret, self.token_id)),
            Form::Narrowed { caveats, mac, .. } => {
                (format!("{},{more}]", caveats.strip_suffix(']').unwrap_or_default()), *mac)
            }
        };
        let mac = BASE64URL_NOPAD.encode(&mac::next(&key, more.as_bytes()));
        let text = format!("{PREFIX}{}.{}.{mac}", self.token_id, BASE64URL_NOPAD.encode(caveats.as_bytes()));
        if text.len() > TOKEN_BYTES_MAX {
            return Err(AttenuateError::TooLong);
        }
        Ok(text)
    }
}

fn key(text: &str) -> Option<Key> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()
}
