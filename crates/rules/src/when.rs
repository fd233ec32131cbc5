//! Conditions on what a tool is called with, and the three values they have.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde_json::Value;

use crate::rule::ArgType;

/// False, unknown or true. `and` is the least, `or` the greatest (Kleene).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tri {
    /// It does not hold.
    False,
    /// A fact was not seen.
    Unknown,
    /// It holds.
    True,
}

impl From<bool> for Tri {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl std::ops::Not for Tri {
    type Output = Self;
    fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// One value against one test.
    Test(Test),
    /// All of these; not empty.
    All(Vec<When>),
    /// Any of these; not empty.
    Any(Vec<When>),
    /// Not this.
    Not(Box<When>),
}

/// One value of the input and what is asked of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// The JSON Pointer, as declared.
    pub at: Arc<str>,
    /// The declared type.
    pub kind: ArgType,
    /// Whether the value may be missing.
    pub optional: bool,
    /// What is asked of it.
    pub is: Is,
}

/// What is asked of a value. Lists are not empty.
#[derive(Debug, Clone, PartialEq)]
pub enum Is {
    /// A number less than this.
    Less(f64),
    /// A number at most this.
    AtMost(f64),
    /// A number greater than this.
    Greater(f64),
    /// A number at least this.
    AtLeast(f64),
    /// One of these numbers.
    OneOf(Vec<f64>),
    /// One of these texts.
    In(Vec<Arc<str>>),
    /// A text that begins so.
    Prefix(Arc<str>),
    /// A text that ends so.
    Suffix(Arc<str>),
    /// True, or false.
    Bool(bool),
    /// An address in one of these networks.
    Within(Vec<IpNet>),
}

impl When {
    /// Whether it holds for `input`.
    #[must_use]
    pub fn holds(&self, input: &Value) -> Tri {
        match self {
            Self::Test(test) => test.holds(input),
            Self::All(all) => all.iter().map(|each| each.holds(input)).min().unwrap_or(Tri::True),
            Self::Any(any) => any.iter().map(|each| each.holds(input)).max().unwrap_or(Tri::False),
            Self::Not(not) => !not.holds(input),
        }
    }

    /// Calls `see` with every test in it, from left to right.
    pub fn each_test<'a>(&'a self, see: &mut impl FnMut(&'a Test)) {
        match self {
            Self::Test(test) => see(test),
            Self::All(some) | Self::Any(some) => some.iter().for_each(|each| each.each_test(see)),
            Self::Not(not) => not.each_test(see),
        }
    }
}

impl Test {
    /// Whether it holds for `input`. A missing value is unknown, unless it is optional; a value of
    /// another type than the declared one is unknown.
    #[must_use]
    pub fn holds(&self, input: &Value) -> Tri {
        let Some(value) = input.pointer(&self.at).filter(|value| !value.is_null()) else {
            return if self.optional { Tri::False } else { Tri::Unknown };
        };
        self.is.holds(self.kind, value)
    }
}

impl Is {
    /// Whether it holds for one value of the declared type; unknown for one of another type.
    #[must_use]
    pub fn holds(&self, kind: ArgType, value: &Value) -> Tri {
        let held = match kind {
            ArgType::String => value.as_str().and_then(|text| self.text(text)),
            ArgType::Boolean => value.as_bool().and_then(|held| match self {
                Self::Bool(wanted) => Some(*wanted == held),
                _ => None,
            }),
            ArgType::Number => value.as_f64().and_then(|number| self.number(number)),
            ArgType::Integer => {
                value.as_f64().filter(|number| number.fract() == 0.0).and_then(|number| self.number(number))
            }
            ArgType::Ip => value.as_str().and_then(address).and_then(|address| match self {
                Self::Within(nets) => Some(nets.iter().any(|net| net.contains(&address))),
                _ => None,
            }),
        };
        held.map_or(Tri::Unknown, Tri::from)
    }

    fn text(&self, text: &str) -> Option<bool> {
        match self {
            Self::In(some) => Some(some.iter().any(|each| **each == *text)),
            Self::Prefix(prefix) => Some(text.starts_with(&**prefix)),
            Self::Suffix(suffix) => Some(text.ends_with(&**suffix)),
            _ => None,
        }
    }

    fn number(&self, number: f64) -> Option<bool> {
        let against = |bound: &f64| number.partial_cmp(bound);
        match self {
            Self::Less(bound) => Some(against(bound)? == Ordering::Less),
            Self::AtMost(bound) => Some(against(bound)? != Ordering::Greater),
            Self::Greater(bound) => Some(against(bound)? == Ordering::Greater),
            Self::AtLeast(bound) => Some(against(bound)? != Ordering::Less),
            Self::OneOf(some) => Some(some.iter().any(|each| against(each) == Some(Ordering::Equal))),
            _ => None,
        }
    }
}

/// An address in its canonical form: an IPv4 one stays IPv4 in whatever notation of IPv6.
#[must_use]
pub fn address(text: &str) -> Option<IpAddr> {
    text.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical())
}
