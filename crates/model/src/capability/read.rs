//! Reading caveats on the hot path: what is written plainly, which is nearly everything, without the
//! JSON library and without writing it again to compare.
//!
//! Nothing is decided here alone: what is not plain is `None`, and [`super::Caveat::read`] then reads it
//! the thorough way. A property test holds the two together.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Caveat, DataCaveat, LINKS_MAX, USES_MAX};
use crate::{RunId, Time, Zone};

/// The places of the links in a list; none when the list is empty, has too many or is none. Only where
/// objects begin and end is looked at, not what is in them.
pub(super) fn links(list: &str) -> Option<Vec<Range<usize>>> {
    let inside = list.strip_prefix('[')?.strip_suffix(']')?;
    let mut links = Vec::with_capacity(8);
    let (mut begin, mut depth, mut in_text, mut escaped) = (1, 0_u32, false, false);
    for (at, byte) in (1..).zip(inside.bytes()) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                links.push(begin..at);
                begin = at + 1;
            }
            _ => {}
        }
    }
    links.push(begin..list.len() - 1);
    let is_object =
        |link: &Range<usize>| list.get(link.clone()).is_some_and(|link| link.starts_with('{') && link.ends_with('}'));
    let whole = depth == 0 && !in_text && links.iter().all(is_object);
    (whole && links.len() <= LINKS_MAX).then_some(links)
}

/// A caveat whose texts have no escapes, in the canonical spelling.
pub(super) fn plain(text: &str) -> Option<Caveat> {
    let mut at = Cursor { rest: text.strip_prefix('{')?, first: true };
    let mut caveat = Caveat::default();
    if at.member("\"action_types\":") {
        caveat.action_types = Some(at.list()?);
    }
    if at.member("\"data_access\":{") {
        caveat.data_access = Some(at.data()?);
    }
    if at.member("\"egress_domains\":") {
        caveat.egress_domains = Some(at.list()?);
    }
    if at.member("\"expires_at\":") {
        let end = at.text()?;
        caveat.expires_at = Some(Time::parse(end).ok().filter(|time| time.to_string() == end)?);
    }
    if at.member("\"id\":") {
        caveat.id = Some(at.text()?.to_owned());
    }
    if at.member("\"rooms\":") {
        caveat.rooms = Some(at.list()?);
    }
    if at.member("\"run\":") {
        caveat.run = Some(RunId::parse(at.text()?).ok()?);
    }
    if at.member("\"tools\":") {
        caveat.tools = Some(at.list()?);
    }
    if at.member("\"uses\":") {
        caveat.uses = Some(at.number()?);
    }
    if at.member("\"zone\":") {
        caveat.zone = Some(Zone::parse(at.text()?)?);
    }
    (at.rest == "}").then_some(caveat)
}

/// What is still to be read of an object.
struct Cursor<'a> {
    rest: &'a str,
    first: bool,
}

impl<'a> Cursor<'a> {
    /// Goes past the name of the next member, when it is this one.
    fn member(&mut self, name: &str) -> bool {
        let after = if self.first { Some(self.rest) } else { self.rest.strip_prefix(',') };
        let Some(rest) = after.and_then(|rest| rest.strip_prefix(name)) else { return false };
        (self.rest, self.first) = (rest, false);
        true
    }

    fn text(&mut self) -> Option<&'a str> {
        let inside = self.rest.strip_prefix('"')?;
        let end = inside.bytes().position(|b| b == b'"' || b == b'\\' || b < 0x20)?;
        let (text, rest) = inside.split_at_checked(end)?;
        self.rest = rest.strip_prefix('"')?;
        Some(text)
    }

    /// Texts in ascending order.
    fn list(&mut self) -> Option<BTreeSet<String>> {
        self.rest = self.rest.strip_prefix('[')?;
        if let Some(rest) = self.rest.strip_prefix(']') {
            self.rest = rest;
            return Some(BTreeSet::new());
        }
        let mut texts = vec![self.text()?];
        while let Some(rest) = self.rest.strip_prefix(',') {
            self.rest = rest;
            texts.push(self.text()?);
        }
        self.rest = self.rest.strip_prefix(']')?;
        texts.is_sorted_by(|a, b| a < b).then(|| texts.into_iter().map(str::to_owned).collect())
    }

    fn data(&mut self) -> Option<DataCaveat> {
        let mut inner = Cursor { rest: self.rest, first: true };
        let mut data = DataCaveat::default();
        if inner.member("\"read\":") {
            data.read = Some(inner.list()?);
        }
        if inner.member("\"write\":") {
            data.write = Some(inner.list()?);
        }
        self.rest = inner.rest.strip_prefix('}')?;
        Some(data)
    }

    fn number(&mut self) -> Option<u64> {
        let end = self.rest.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let plain = digits == "0" || !digits.starts_with('0');
        digits.parse().ok().filter(|number| plain && *number <= USES_MAX)
    }
}
