//! Entries to a segment.

use std::collections::BTreeSet;

use model::Time;
use model::decision::{Other, RuleId, Voice};

use super::dictionary::Dictionary;
use super::wire::{checksum, put, put_len};
use super::{Ids, MAGIC, ROWS_MAX, Span, VERSION};
use crate::entry::{Caller, Entry, Kept, Resource, Ruling};

/// The encoder has as many rows as a segment may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a segment of the decision log has {ROWS_MAX} rows at most")]
pub struct Full;

/// A segment as bytes: what is decided again, and the ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// What it is.
    pub span: Span,
    /// Read by [`super::Segment::decode`].
    pub facts: Vec<u8>,
    /// Read by [`Ids::decode`].
    pub ids: Vec<u8>,
}

/// Gathers entries; what it has gathered can be written at any time, and again when there is more.
#[derive(Debug, Clone)]
pub struct Encoder {
    texts: Dictionary<Box<str>>,
    lists: Dictionary<Vec<u32>>,
    shapes: Dictionary<[u32; 13]>,
    rulings: Dictionary<[u32; 18]>,
    callers: Dictionary<[u32; 5]>,
    resources: Dictionary<[u32; 5]>,
    cases: Dictionary<[u32; 4]>,
    rows: Vec<Row>,
    dropped: u32,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct Row {
    at: Time,
    id: Box<str>,
    /// Case, caller, run and resource; of the last two 0 is none.
    columns: [u32; 4],
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// One that has nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            texts: Dictionary::new(),
            lists: Dictionary::new(),
            shapes: Dictionary::new(),
            rulings: Dictionary::new(),
            callers: Dictionary::new(),
            resources: Dictionary::new(),
            cases: Dictionary::new(),
            rows: Vec::new(),
            dropped: 0,
            bytes: 0,
        }
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is neither a row nor a dropped one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.dropped == 0
    }

    /// About how many bytes it will be, ids included: enough to decide when to seal it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts decisions that could not be kept.
    pub fn drop_rows(&mut self, count: u32) {
        self.dropped = self.dropped.saturating_add(count);
    }

    /// Adds a row. The order of rows does not matter.
    ///
    /// # Errors
    /// [`Full`] at [`ROWS_MAX`]; the entry is not in it.
    pub fn push(&mut self, entry: &Entry) -> Result<(), Full> {
        if self.rows.len() >= ROWS_MAX {
            return Err(Full);
        }
        let before = self.texts.things().len();
        let cases_before = self.cases.things().len();
        let shape = self.shape(entry);
        let shape = self.shapes.number(shape);
        let path = self.kept_text(&entry.path);
        let input = self.kept_text(&entry.input);
        let ruling = self.ruling(&entry.ruling);
        let ruling = self.rulings.number(ruling);
        let case = self.cases.number([shape, path, input, ruling]);
        let caller = self.caller(&entry.caller);
        let caller = self.callers.number(caller);
        let run = self.maybe_text(entry.run_id.as_ref().map(AsRef::as_ref));
        let resource = match &entry.resource {
            Some(resource) => {
                let resource = self.resource(resource);
                1 + self.resources.number(resource)
            }
            None => 0,
        };
        let id: Box<str> = entry.id.as_str().into();
        let texts: usize = self.texts.things().iter().skip(before).map(|text| text.len() + 1).sum();
        let cases = self.cases.things().len() - cases_before;
        self.bytes += texts + cases * 24 + id.len() + 10;
        self.rows.push(Row { at: entry.at, id, columns: [case, caller, run, resource] });
        Ok(())
    }

    /// The segment of all rows so far.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        let mut order: Vec<&Row> = self.rows.iter().collect();
        order.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let from = order.first().map_or(Time::from_millis(0), |row| row.at);
        let to = order.last().map_or(from, |row| row.at);
        let span = Span { rows: order.len(), dropped: self.dropped, from, to };
        let mut out = Vec::with_capacity(64 + self.bytes);
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.extend_from_slice(&u32::try_from(span.rows).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&span.dropped.to_le_bytes());
        out.extend_from_slice(&from.as_millis().to_le_bytes());
        out.extend_from_slice(&to.as_millis().to_le_bytes());
        self.dictionaries(&mut out);
        let mut before = from;
        for row in &order {
            put(&mut out, row.at.as_millis().abs_diff(before.as_millis()));
            before = row.at;
        }
        for column in 0..4 {
            for row in &order {
                put(&mut out, u64::from(row.columns.get(column).copied().unwrap_or_default()));
            }
        }
        let sum = checksum(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        let ids = Ids::encode(order.iter().map(|row| &*row.id));
        Encoded { span, facts: out, ids }
    }

    fn dictionaries(&self, out: &mut Vec<u8>) {
        put_len(out, self.texts.things().len());
        for text in self.texts.things() {
            put_len(out, text.len());
        }
        for text in self.texts.things() {
            out.extend_from_slice(text.as_bytes());
        }
        put_len(out, self.lists.things().len());
        for list in self.lists.things() {
            put_len(out, list.len());
            list.iter().for_each(|text| put(out, u64::from(*text)));
        }
        put_all(out, self.shapes.things());
        put_all(out, self.rulings.things());
        put_all(out, self.callers.things());
        put_all(out, self.resources.things());
        put_all(out, self.cases.things());
    }

    fn shape(&mut self, entry: &Entry) -> [u32; 13] {
        [
            self.texts.text(entry.category.as_str()),
            self.maybe_text(entry.action.as_deref()),
            self.texts.text(entry.who.0.as_str()),
            self.maybe_text(entry.who.1.as_deref()),
            self.maybe_text(entry.zone.map(model::Zone::as_str)),
            self.maybe_text(entry.room_id.as_ref().map(AsRef::as_ref)),
            self.kept_text(&entry.host),
            self.kept_text(&entry.method),
            kept(entry.port.map(u32::from)),
            self.kept_text(&entry.scheme),
            self.kept_text(&entry.tool),
            kept(entry.label.map(|label| self.texts.text(label.as_str()))),
            match &entry.purposes {
                Kept::Seen(purposes) => kept(Kept::Seen(self.set(purposes))),
                Kept::Absent => kept(Kept::Absent),
                Kept::Unseen => kept(Kept::Unseen),
                Kept::Withheld => kept(Kept::Withheld),
            },
        ]
    }

    fn ruling(&mut self, ruling: &Ruling) -> [u32; 18] {
        let flags = [ruling.blocked, ruling.by_quota, ruling.by_once, ruling.ground.approved];
        let flags = flags.into_iter().rev().fold(0, |bits, flag| bits << 1 | u32::from(flag));
        let [fixed, base, allowed] =
            [ruling.ground.fixed, ruling.ground.base, ruling.ground.base_if_allowed].map(|voice| self.voice(voice));
        let version = ruling.policy_version.map(|version| version.to_string());
        let trial = self.other(ruling.trial.as_ref());
        let candidate = self.other(ruling.candidate.as_ref());
        [
            self.texts.text(ruling.mode.as_str()),
            flags,
            self.texts.text(ruling.outcome.as_str()),
            self.texts.text(ruling.reason_code.as_str()),
            self.rule_ids(&ruling.rules),
            fixed[0],
            fixed[1],
            base[0],
            base[1],
            allowed[0],
            allowed[1],
            self.maybe_text(version.as_deref()),
            trial[0],
            trial[1],
            trial[2],
            candidate[0],
            candidate[1],
            candidate[2],
        ]
    }

    fn caller(&mut self, caller: &Caller) -> [u32; 5] {
        [
            self.texts.text(caller.actor.kind.as_str()),
            self.texts.text(&caller.actor.id),
            self.maybe_text(caller.principal_id.as_ref().map(AsRef::as_ref)),
            self.maybe_text(caller.token_id.as_ref().map(AsRef::as_ref)),
            u32::from(caller.token_required) | u32::from(caller.principal_named) << 1,
        ]
    }

    fn resource(&mut self, resource: &Resource) -> [u32; 5] {
        [
            self.texts.text(&resource.kind),
            self.texts.text(&resource.id),
            self.maybe_text(resource.room.as_ref().map(AsRef::as_ref)),
            self.set(&resource.purposes),
            u32::from(resource.justified),
        ]
    }

    fn voice(&mut self, voice: Voice) -> [u32; 2] {
        voice.map_or([0, 0], |(outcome, reason)| {
            [1 + self.texts.text(outcome.as_str()), 1 + self.texts.text(reason.as_str())]
        })
    }

    fn other(&mut self, other: Option<&Other>) -> [u32; 3] {
        other.map_or([0, 0, 0], |other| {
            let [outcome, reason] = self.voice(Some((other.outcome, other.reason_code)));
            [outcome, reason, 1 + self.rule_ids(&other.rules)]
        })
    }

    fn rule_ids(&mut self, rules: &[RuleId]) -> u32 {
        let list = rules.iter().map(|rule| self.texts.text(rule)).collect();
        self.lists.number(list)
    }

    fn set(&mut self, set: &BTreeSet<String>) -> u32 {
        let list = set.iter().map(|each| self.texts.text(each)).collect();
        self.lists.number(list)
    }

    fn maybe_text(&mut self, text: Option<&str>) -> u32 {
        text.map_or(0, |text| 1 + self.texts.text(text))
    }

    fn kept_text(&mut self, fact: &Kept<String>) -> u32 {
        match fact {
            Kept::Seen(text) => kept(Kept::Seen(self.texts.text(text))),
            Kept::Absent => kept(Kept::Absent),
            Kept::Unseen => kept(Kept::Unseen),
            Kept::Withheld => kept(Kept::Withheld),
        }
    }
}

/// WIRE: the three states without a value, then values.
fn kept(fact: Kept<u32>) -> u32 {
    match fact {
        Kept::Absent => 0,
        Kept::Unseen => 1,
        Kept::Withheld => 2,
        Kept::Seen(value) => value.saturating_add(3),
    }
}

fn put_all<const N: usize>(out: &mut Vec<u8>, things: &[[u32; N]]) {
    put_len(out, things.len());
    for thing in things {
        thing.iter().for_each(|number| put(out, u64::from(*number)));
    }
}
