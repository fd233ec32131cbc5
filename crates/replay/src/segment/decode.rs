//! A segment from bytes that may be anything. Everything is checked here, once, so that whoever reads
//! the rows meets no number that names nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use model::decision::{Other, RuleId, Voice};
use model::{
    Actor, ActorType, Category, DecisionId, Label, Mode, Outcome, PrincipalId, ReasonCode, RoomId, RunId, Time,
    TokenId, Zone,
};

use super::cases::{CallerRow, Case, ResourceRow, Settled, Shape, Voiced, ground};
use super::dictionary::Dictionary;
use super::wire::{Reader, checksum};
use super::{DecodeError, MAGIC, ROWS_MAX, Span, VERSION};
use crate::entry::{Caller, Entry, Kept, Resource, Ruling};

/// Rows that are the same but for their moment and id.
#[derive(Debug)]
pub(crate) struct Groups {
    of: Vec<u32>,
    /// How many groups there are.
    pub(crate) count: usize,
}

impl Groups {
    /// The group of a row, counted from the beginning of the range.
    pub(crate) fn of(&self, row: usize) -> u32 {
        self.of.get(row).copied().unwrap_or(u32::MAX)
    }
}

/// A segment that was read.
#[derive(Debug, Clone)]
pub struct Segment<'a> {
    span: Span,
    texts: Vec<&'a str>,
    lists: Vec<Vec<u32>>,
    /// The lists that are sets of purposes, as rules want them.
    sets: BTreeMap<u32, BTreeSet<String>>,
    shapes: Vec<Shape<'a>>,
    rulings: Vec<Settled>,
    callers: Vec<CallerRow<'a>>,
    resources: Vec<ResourceRow<'a>>,
    cases: Vec<Case<'a>>,
    times: Vec<i64>,
    case_of: Vec<u32>,
    caller_of: Vec<u32>,
    run_of: Vec<u32>,
    resource_of: Vec<u32>,
}

impl<'a> Segment<'a> {
    /// Reads a segment.
    ///
    /// # Errors
    /// [`DecodeError`], for whatever bytes.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (whole, sum) = bytes.split_last_chunk::<8>().ok_or(DecodeError::Magic)?;
        let mut reader = Reader::new(whole);
        if reader.array::<4>() != Ok(MAGIC) {
            return Err(DecodeError::Magic);
        }
        let [version] = reader.array::<1>()?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        if checksum(whole) != u64::from_le_bytes(*sum) {
            return Err(DecodeError::Checksum);
        }
        let rows = usize::try_from(u32::from_le_bytes(reader.array()?)).map_err(|_| DecodeError::Number)?;
        let dropped = u32::from_le_bytes(reader.array()?);
        let from = i64::from_le_bytes(reader.array()?);
        let to = i64::from_le_bytes(reader.array()?);
        // Each row takes a byte in each of five columns.
        if rows > ROWS_MAX || rows.saturating_mul(5) > reader.rest().len() {
            return Err(DecodeError::Number);
        }
        let span = Span { rows, dropped, from: Time::from_millis(from), to: Time::from_millis(to) };
        if span.from.as_millis() != from || span.to.as_millis() != to {
            return Err(DecodeError::Times);
        }
        let mut segment = Self::dictionaries(&mut reader, span)?;
        segment.times = times(&mut reader, span)?;
        segment.case_of = column(&mut reader, rows, segment.cases.len())?;
        segment.caller_of = column(&mut reader, rows, segment.callers.len())?;
        segment.run_of = column(&mut reader, rows, segment.texts.len() + 1)?;
        segment.resource_of = column(&mut reader, rows, segment.resources.len() + 1)?;
        reader.end()?;
        Ok(segment)
    }

    fn dictionaries(reader: &mut Reader<'a>, span: Span) -> Result<Self, DecodeError> {
        let texts = texts(reader)?;
        let count = reader.count(1)?;
        let mut lists = Vec::with_capacity(count);
        for _ in 0..count {
            let len = reader.count(1)?;
            let list: Result<Vec<u32>, _> = (0..len).map(|_| number_below(reader, texts.len())).collect();
            lists.push(list?);
        }
        let names = Names { texts: &texts, lists: lists.len() };
        let shapes = records(reader, |fields| names.shape(&fields))?;
        let rulings = records(reader, |fields| names.ruling(&fields))?;
        let callers = records(reader, |fields| names.caller(&fields))?;
        let resources: Vec<ResourceRow<'a>> = records(reader, |fields| names.resource(&fields))?;
        let cases = records(reader, |[shape, path, input, ruling]| {
            below(shape, shapes.len())?;
            below(ruling, rulings.len())?;
            Ok(Case { shape, path: names.kept_text(path)?, input: names.kept_text(input)?, ruling })
        })?;
        let wanted = shapes.iter().filter_map(|shape: &Shape<'_>| shape.purposes.seen().copied());
        let sets = wanted.map(|list| (list, ())).collect::<BTreeMap<_, _>>().into_keys();
        let sets = sets.map(|list| (list, set(&texts, &lists, list))).collect();
        let none = Vec::new;
        Ok(Self {
            span,
            texts,
            lists,
            sets,
            shapes,
            rulings,
            callers,
            resources,
            cases,
            times: Vec::new(),
            case_of: none(),
            caller_of: none(),
            run_of: none(),
            resource_of: none(),
        })
    }

    /// What it is.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// The cases.
    #[must_use]
    pub fn cases(&self) -> &[Case<'a>] {
        &self.cases
    }

    /// The moments of the rows, in milliseconds, each with the number of its case.
    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = (i64, u32)> {
        self.times.iter().copied().zip(self.case_of.iter().copied())
    }

    /// The rows from `since` on and before `until`.
    #[must_use]
    pub fn between(&self, since: Option<Time>, until: Option<Time>) -> Range<usize> {
        let before = |end: Time| self.times.partition_point(|at| *at < end.as_millis());
        let start = since.map_or(0, before);
        start..until.map_or(self.times.len(), before).max(start)
    }

    /// The rows of a range by everything that an ask is made of again.
    pub(crate) fn groups(&self, rows: &Range<usize>) -> Groups {
        let mut numbers: Dictionary<[u32; 4]> = Dictionary::new();
        let cell = |column: &[u32], row: usize| column.get(row).copied().unwrap_or_default();
        let of = rows.clone().map(|row| {
            let columns = [&self.case_of, &self.caller_of, &self.run_of, &self.resource_of];
            numbers.number(columns.map(|column| cell(column, row)))
        });
        let of = of.collect();
        Groups { of, count: numbers.things().len() }
    }

    /// The moment of a row.
    #[must_use]
    pub fn time(&self, row: usize) -> Option<Time> {
        self.times.get(row).map(|at| Time::from_millis(*at))
    }

    /// The case of a row.
    #[must_use]
    pub fn case(&self, row: usize) -> Option<&Case<'a>> {
        self.cases.get(index(*self.case_of.get(row)?))
    }

    /// What rules saw in a case.
    #[must_use]
    pub fn shape(&self, case: &Case<'_>) -> Option<&Shape<'a>> {
        self.shapes.get(index(case.shape))
    }

    /// A shape by its number.
    pub(crate) fn shape_of(&self, number: u32) -> Option<&Shape<'a>> {
        self.shapes.get(index(number))
    }

    /// What came of a case.
    #[must_use]
    pub fn settled(&self, case: &Case<'_>) -> Option<&Settled> {
        self.rulings.get(index(case.ruling))
    }

    /// The purposes of a shape, as the fact that rules see.
    pub(crate) fn purposes(&self, shape: &Shape<'_>) -> Kept<&BTreeSet<String>> {
        match shape.purposes {
            Kept::Absent => Kept::Absent,
            Kept::Unseen => Kept::Unseen,
            Kept::Withheld => Kept::Withheld,
            Kept::Seen(list) => self.sets.get(&list).map_or(Kept::Withheld, Kept::Seen),
        }
    }

    /// The rules that determined a case.
    pub fn rules_of(&self, settled: &Settled) -> impl Iterator<Item = &'a str> {
        self.list(settled.rules)
    }

    /// The rules that determine what would have been.
    pub fn rules_of_other(&self, other: &Voiced) -> impl Iterator<Item = &'a str> {
        self.list(other.rules)
    }

    /// The run of a row.
    #[must_use]
    pub fn run(&self, row: usize) -> Option<&'a str> {
        self.maybe_text(*self.run_of.get(row)?)
    }

    /// The principal of a row, or the name of its actor: who an approval would be asked for.
    #[must_use]
    pub fn account(&self, row: usize) -> &'a str {
        let caller = self.caller_of.get(row).and_then(|caller| self.callers.get(index(*caller)));
        caller.map_or("", |caller| caller.principal.unwrap_or(caller.name))
    }

    /// The number of who asked in a row.
    pub(crate) fn caller_number(&self, row: usize) -> u32 {
        self.caller_of.get(row).copied().unwrap_or_default()
    }

    /// The number of the run of a row; 0 = none.
    pub(crate) fn run_number(&self, row: usize) -> u32 {
        self.run_of.get(row).copied().unwrap_or_default()
    }

    fn list(&self, list: u32) -> impl Iterator<Item = &'a str> {
        let list = self.lists.get(index(list)).map_or(&[][..], Vec::as_slice);
        list.iter().filter_map(|text| self.texts.get(index(*text)).copied())
    }

    fn maybe_text(&self, number: u32) -> Option<&'a str> {
        self.texts.get(index(number.checked_sub(1)?)).copied()
    }

    /// A row as the entry it was made of; `id` comes from the segment's [`super::Ids`].
    #[must_use]
    pub fn entry(&self, row: usize, id: &DecisionId) -> Option<Entry> {
        let case = self.case(row)?;
        let shape = self.shape(case)?;
        let caller = self.callers.get(index(*self.caller_of.get(row)?))?;
        let resource = self.resource_of.get(row)?.checked_sub(1).and_then(|place| self.resources.get(index(place)));
        let own = |text: Kept<&str>| text.map(str::to_owned);
        Some(Entry {
            id: id.clone(),
            at: self.time(row)?,
            caller: Caller {
                actor: Actor::new(caller.kind, caller.name),
                principal_id: caller.principal.map(|id| PrincipalId::from_stored(id.to_owned())),
                principal_named: caller.principal_named,
                token_id: caller.token.map(|id| TokenId::from_stored(id.to_owned())),
                token_required: caller.token_required,
            },
            run_id: self.run(row).map(|id| RunId::from_stored(id.to_owned())),
            resource: resource.map(|resource| Resource {
                kind: resource.kind.to_owned(),
                id: resource.id.to_owned(),
                room: resource.room.map(|id| RoomId::from_stored(id.to_owned())),
                purposes: self.list(resource.purposes).map(str::to_owned).collect(),
                justified: resource.justified,
            }),
            category: shape.category,
            action: shape.action.map(str::to_owned),
            who: (shape.who_kind, shape.who_name.map(str::to_owned)),
            zone: shape.zone,
            room_id: shape.room.map(|id| RoomId::from_stored(id.to_owned())),
            host: own(shape.host),
            method: own(shape.method),
            path: own(case.path),
            port: shape.port,
            scheme: own(shape.scheme),
            tool: own(shape.tool),
            input: own(case.input),
            label: shape.label,
            purposes: self.purposes(shape).map(BTreeSet::clone),
            ruling: self.ruling(self.settled(case)?),
        })
    }

    fn ruling(&self, settled: &Settled) -> Ruling {
        let rules = |list: u32| -> Vec<RuleId> { self.list(list).map(RuleId::from).collect() };
        let other = |other: Option<Voiced>| {
            other.map(|other| Other {
                outcome: other.outcome,
                reason_code: other.reason_code,
                rules: rules(other.rules),
            })
        };
        Ruling {
            outcome: settled.outcome,
            reason_code: settled.reason_code,
            rules: rules(settled.rules),
            blocked: settled.blocked,
            mode: settled.mode,
            ground: settled.ground,
            policy_version: settled.policy_version,
            trial: other(settled.trial),
            candidate: other(settled.candidate),
            by_quota: settled.by_quota,
            by_once: settled.by_once,
        }
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn below(number: u32, end: usize) -> Result<(), DecodeError> {
    if index(number) < end { Ok(()) } else { Err(DecodeError::Number) }
}

fn number_below(reader: &mut Reader<'_>, end: usize) -> Result<u32, DecodeError> {
    let number = reader.small()?;
    below(number, end)?;
    Ok(number)
}

fn set(texts: &[&str], lists: &[Vec<u32>], list: u32) -> BTreeSet<String> {
    let list = lists.get(index(list)).map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(|text| texts.get(index(*text))).map(|text| (*text).to_owned()).collect()
}

fn texts<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a str>, DecodeError> {
    let count = reader.count(1)?;
    let lens: Result<Vec<usize>, _> = (0..count).map(|_| reader.number().map(usize::try_from)).map(flat).collect();
    let lens = lens?;
    let whole = lens.iter().try_fold(0_usize, |sum, len| sum.checked_add(*len)).ok_or(DecodeError::Number)?;
    let mut rest = std::str::from_utf8(reader.take(whole)?).map_err(|_| DecodeError::Text)?;
    let mut texts = Vec::with_capacity(count);
    for len in lens {
        let (text, after) = rest.split_at_checked(len).ok_or(DecodeError::Text)?;
        texts.push(text);
        rest = after;
    }
    Ok(texts)
}

fn flat<E>(number: Result<Result<usize, E>, DecodeError>) -> Result<usize, DecodeError> {
    number?.map_err(|_| DecodeError::Number)
}

fn records<const N: usize, T>(
    reader: &mut Reader<'_>,
    make: impl Fn([u32; N]) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = reader.count(N)?;
    let mut records = Vec::with_capacity(count);
    for _ in 0..count {
        let mut fields = [0; N];
        for field in &mut fields {
            *field = reader.small()?;
        }
        records.push(make(fields)?);
    }
    Ok(records)
}

fn times(reader: &mut Reader<'_>, span: Span) -> Result<Vec<i64>, DecodeError> {
    let (mut at, to) = (span.from.as_millis(), span.to.as_millis());
    let mut times = Vec::with_capacity(span.rows);
    for row in 0..span.rows {
        let later = i64::try_from(reader.number()?).map_err(|_| DecodeError::Number)?;
        at = at.checked_add(later).ok_or(DecodeError::Times)?;
        if at > to || row == 0 && later != 0 {
            return Err(DecodeError::Times);
        }
        times.push(at);
    }
    if at == to { Ok(times) } else { Err(DecodeError::Times) }
}

fn column(reader: &mut Reader<'_>, rows: usize, end: usize) -> Result<Vec<u32>, DecodeError> {
    let mut column = Vec::with_capacity(rows);
    for _ in 0..rows {
        column.push(number_below(reader, end)?);
    }
    Ok(column)
}

/// Reads the fields of records by what they mean.
struct Names<'t, 'a> {
    texts: &'t [&'a str],
    lists: usize,
}

impl<'a> Names<'_, 'a> {
    fn text(&self, number: u32) -> Result<&'a str, DecodeError> {
        self.texts.get(index(number)).copied().ok_or(DecodeError::Number)
    }

    fn maybe_text(&self, number: u32) -> Result<Option<&'a str>, DecodeError> {
        number.checked_sub(1).map(|number| self.text(number)).transpose()
    }

    fn kept_text(&self, number: u32) -> Result<Kept<&'a str>, DecodeError> {
        self.kept(number, |number| self.text(number))
    }

    fn kept<T>(&self, number: u32, read: impl Fn(u32) -> Result<T, DecodeError>) -> Result<Kept<T>, DecodeError> {
        Ok(match number {
            0 => Kept::Absent,
            1 => Kept::Unseen,
            2 => Kept::Withheld,
            more => Kept::Seen(read(more - 3)?),
        })
    }

    fn word<T>(&self, number: u32, parse: impl Fn(&str) -> Option<T>) -> Result<T, DecodeError> {
        parse(self.text(number)?).ok_or(DecodeError::Text)
    }

    fn list(&self, number: u32) -> Result<u32, DecodeError> {
        below(number, self.lists).map(|()| number)
    }

    fn voice(&self, outcome: u32, reason: u32) -> Result<Voice, DecodeError> {
        match (outcome.checked_sub(1), reason.checked_sub(1)) {
            (None, None) => Ok(None),
            (Some(outcome), Some(reason)) => {
                Ok(Some((self.word(outcome, Outcome::parse)?, self.word(reason, ReasonCode::parse)?)))
            }
            _ => Err(DecodeError::Number),
        }
    }

    fn other(&self, outcome: u32, reason: u32, rules: u32) -> Result<Option<Voiced>, DecodeError> {
        match (self.voice(outcome, reason)?, rules.checked_sub(1)) {
            (None, None) => Ok(None),
            (Some((outcome, reason_code)), Some(rules)) => {
                Ok(Some(Voiced { outcome, reason_code, rules: self.list(rules)? }))
            }
            _ => Err(DecodeError::Number),
        }
    }

    fn shape(&self, fields: &[u32; 13]) -> Result<Shape<'a>, DecodeError> {
        let [category, action, who_kind, who_name, zone, room, host, method, port, scheme, tool, label, purposes] =
            *fields;
        Ok(Shape {
            category: self.word(category, Category::parse)?,
            action: self.maybe_text(action)?,
            who_kind: self.word(who_kind, ActorType::parse)?,
            who_name: self.maybe_text(who_name)?,
            zone: zone.checked_sub(1).map(|zone| self.word(zone, Zone::parse)).transpose()?,
            room: self.maybe_text(room)?,
            host: self.kept_text(host)?,
            method: self.kept_text(method)?,
            port: self.kept(port, |port| u16::try_from(port).map_err(|_| DecodeError::Number))?,
            scheme: self.kept_text(scheme)?,
            tool: self.kept_text(tool)?,
            label: self.kept(label, |label| self.word(label, Label::parse))?,
            purposes: self.kept(purposes, |list| self.list(list))?,
        })
    }

    fn ruling(&self, fields: &[u32; 18]) -> Result<Settled, DecodeError> {
        let [mode, flags, outcome, reason, rules, f_o, f_r, b_o, b_r, a_o, a_r, version, t_o, t_r, t_l, c_o, c_r, c_l] =
            *fields;
        if flags > 0b1111 {
            return Err(DecodeError::Number);
        }
        let flag = |bit: u32| flags >> bit & 1 == 1;
        Ok(Settled {
            outcome: self.word(outcome, Outcome::parse)?,
            reason_code: self.word(reason, ReasonCode::parse)?,
            rules: self.list(rules)?,
            blocked: flag(0),
            mode: self.word(mode, Mode::parse)?,
            ground: ground(self.voice(f_o, f_r)?, self.voice(b_o, b_r)?, self.voice(a_o, a_r)?, flag(3)),
            policy_version: self
                .maybe_text(version)?
                .map(|version| version.parse().map_err(|_| DecodeError::Text))
                .transpose()?,
            trial: self.other(t_o, t_r, t_l)?,
            candidate: self.other(c_o, c_r, c_l)?,
            by_quota: flag(1),
            by_once: flag(2),
        })
    }

    fn caller(&self, fields: &[u32; 5]) -> Result<CallerRow<'a>, DecodeError> {
        let [kind, name, principal, token, flags] = *fields;
        below(flags, 4)?;
        Ok(CallerRow {
            kind: self.word(kind, ActorType::parse)?,
            name: self.text(name)?,
            principal: self.maybe_text(principal)?,
            token: self.maybe_text(token)?,
            principal_named: flags & 2 == 2,
            token_required: flags & 1 == 1,
        })
    }

    fn resource(&self, fields: &[u32; 5]) -> Result<ResourceRow<'a>, DecodeError> {
        let [kind, id, room, purposes, justified] = *fields;
        below(justified, 2)?;
        Ok(ResourceRow {
            kind: self.text(kind)?,
            id: self.text(id)?,
            room: self.maybe_text(room)?,
            purposes: self.list(purposes)?,
            justified: justified == 1,
        })
    }
}
