//! What a rule is: literals that wake it up, and how the secret lies around them.

use std::ops::Range;

use crate::class::{Class, URL_SAFE, WORD};
use crate::hit::Hit;
use crate::randomness::is_mixed;
use crate::template::is_dummy;

/// "As many as there are", for the last run of a shape.
pub(crate) const OPEN: usize = usize::MAX;

/// How far behind a provider's name its token may begin, in bytes.
const NEAR_WINDOW: usize = 56;

/// One piece of a token's shape. Pieces match greedily and are never tried twice.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// Exactly these bytes.
    Lit(&'static str),
    /// Between the two lengths of bytes of the class.
    Run(Class, usize, usize),
}

/// `count` bytes of `class`.
pub(crate) const fn exactly(class: Class, count: usize) -> Part {
    Part::Run(class, count, count)
}

/// `count` or more bytes of `class`.
pub(crate) const fn at_least(class: Class, count: usize) -> Part {
    Part::Run(class, count, OPEN)
}

/// Where the secret lies relative to the literal.
pub(crate) enum Place {
    /// It begins with the literal, which must be at a word boundary.
    Prefix(&'static [Part]),
    /// As `Prefix`, but a dash before the literal is no boundary either.
    Isolated(&'static [Part]),
    /// It begins with the literal, whatever stands before it.
    Anywhere(&'static [Part]),
    /// A run of the class and length stands before the literal, the shape after it.
    Around(Class, Range<usize>, &'static [Part]),
    /// It follows within a short distance, with a word such as `key` or `token` on the way.
    Near(&'static [Part]),
    /// A matcher of its own.
    Custom(fn(Hit<'_>) -> Option<Seen>),
}

/// What a rule read at a hit.
pub(crate) enum Seen {
    /// A secret, with where it lies.
    Secret(Range<usize>),
    /// Something laid out like a secret that is none: a placeholder, a name. Reported so that the
    /// hits inside are not looked at again, which could take quadratic time.
    Decoy(Range<usize>),
}

/// A named way to recognise one kind of secret.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// Literals the automaton looks for, in any case; the shapes then insist on the case.
    pub(crate) literals: &'static [&'static str],
    place: Place,
    /// Whether the token must also mix letters and digits, for prefixes that words have too.
    mixed: bool,
}

impl Rule {
    pub(crate) const fn new(name: &'static str, literals: &'static [&'static str], place: Place) -> Self {
        Self { name, literals, place, mixed: false }
    }

    pub(crate) const fn prefix(name: &'static str, literals: &'static [&'static str], parts: &'static [Part]) -> Self {
        Self::new(name, literals, Place::Prefix(parts))
    }

    /// The same rule, only for tokens in which letters and digits mix.
    pub(crate) const fn mixed(self) -> Self {
        Self { mixed: true, ..self }
    }

    /// Whether something may begin at `hit`, judged by the literal and what stands before it.
    pub(crate) fn begins(&self, hit: Hit<'_>, literal: &str) -> bool {
        let exact = || hit.literal() == literal.as_bytes();
        match &self.place {
            Place::Custom(_) | Place::Near(_) => true,
            Place::Prefix(_) => exact() && hit.opens(hit.start, WORD),
            Place::Isolated(_) => exact() && hit.opens(hit.start, URL_SAFE),
            Place::Anywhere(_) | Place::Around(..) => exact(),
        }
    }

    /// The pieces behind the literal; `None` when a matcher of its own reads what it likes.
    pub(crate) fn parts(&self) -> Option<&'static [Part]> {
        match &self.place {
            Place::Custom(_) => None,
            Place::Prefix(parts)
            | Place::Isolated(parts)
            | Place::Anywhere(parts)
            | Place::Around(_, _, parts)
            | Place::Near(parts) => Some(parts),
        }
    }

    /// Where what this rule sees at `hit` would begin: before the literal for some.
    pub(crate) fn origin(&self, hit: Hit<'_>) -> usize {
        match &self.place {
            Place::Around(class, length, _) => hit.run_back(hit.start, *class, length.end),
            _ => hit.start,
        }
    }

    /// How many bytes before its literal the secret may begin.
    #[cfg(test)]
    pub(crate) fn lead_max(&self) -> usize {
        match &self.place {
            Place::Around(_, length, _) => length.end,
            _ => 0,
        }
    }

    /// Whether the secret begins with its literal, and that at a word boundary.
    pub(crate) fn is_prefix(&self) -> bool {
        matches!(self.place, Place::Prefix(_))
    }

    /// The secret this rule sees at `hit`, if any. `literal` is the one that was found.
    pub(crate) fn find(&self, hit: Hit<'_>, literal: &str) -> Option<Seen> {
        if !self.begins(hit, literal) {
            return None;
        }
        let seen = match &self.place {
            Place::Custom(matcher) => return matcher(hit),
            Place::Near(parts) => Seen::Secret(near(hit, parts)?),
            Place::Prefix(parts) | Place::Isolated(parts) | Place::Anywhere(parts) => {
                shape(hit, hit.start, hit.end, parts)?
            }
            Place::Around(class, length, parts) => {
                let start = hit.run_back(hit.start, *class, length.end);
                let fits = length.contains(&(hit.start - start)) && hit.opens(start, WORD);
                fits.then_some(())?;
                shape(hit, start, hit.end, parts)?
            }
        };
        match seen {
            Seen::Secret(span) if !self.accepts(hit.slice(span.clone()), literal) => Some(Seen::Decoy(span)),
            seen => Some(seen),
        }
    }

    fn accepts(&self, token: &[u8], literal: &str) -> bool {
        let tail = token.strip_prefix(literal.as_bytes()).unwrap_or(token);
        !is_dummy(token) && (!self.mixed || is_mixed(tail))
    }
}

/// The token from `start` whose pieces begin at `from`, without a full stop that ends a sentence.
/// A decoy when it goes on with a byte that no piece covers.
fn shape(hit: Hit<'_>, start: usize, from: usize, parts: &[Part]) -> Option<Seen> {
    let mut at = from;
    for part in parts {
        match part {
            Part::Lit(literal) => {
                hit.starts_with(at, literal.as_bytes()).then_some(())?;
                at += literal.len();
            }
            Part::Run(class, least, most) => {
                let end = hit.run(at, *class, *most);
                (end - at >= *least).then_some(())?;
                at = end;
            }
        }
    }
    if !hit.closes(at) {
        return Some(Seen::Decoy(start..at));
    }
    while at > from && hit.before(at) == Some(b'.') {
        at -= 1;
    }
    Some(Seen::Secret(start..at))
}

fn near(hit: Hit<'_>, parts: &[Part]) -> Option<Range<usize>> {
    let last = hit.end.saturating_add(NEAR_WINDOW).min(hit.bytes.len());
    for start in hit.end..last {
        if !hit.opens(start, URL_SAFE) {
            continue;
        }
        let Some(Seen::Secret(span)) = shape(hit, start, start, parts) else {
            continue;
        };
        let way = hit.slice(hit.start..start).to_ascii_lowercase();
        return names_credential(&way).then_some(span);
    }
    None
}

/// Whether `way`, the text from the provider's name to the value, calls it a credential.
fn names_credential(way: &[u8]) -> bool {
    const WORDS: [&[u8]; 7] = [b"key", b"token", b"secret", b"password", b"auth", b"sid", b"bot"];
    let assigns = way.iter().any(|byte| matches!(byte, b'=' | b':' | b','));
    let named = WORDS.iter().any(|word| way.windows(word.len()).any(|part| part == *word));
    assigns && named
}
