//! Reading JSON from outside, strictly: what two readers could understand differently, or what a
//! store cannot keep, is refused here and not repaired.
//!
//! Refused besides what is not JSON: a key twice in one object, NUL in a string or key, half a
//! surrogate pair, numbers that a double cannot hold, nesting deeper than [`DEPTH_MAX`], anything
//! after the value. A number written as an integer must be a double exactly; one with a fraction
//! or exponent must be finite and is rounded as every reader of JSON rounds it (`0.1` is not a
//! double either). A byte order mark is not JSON.

mod number;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How deep arrays and objects may be nested.
pub const DEPTH_MAX: usize = 64;

/// Keys with this prefix mean something to the JSON library, which would not read back what it wrote.
const RESERVED_PREFIX: &str = "$serde_json::private::";

/// How much of a path is repeated in an error, in characters: of one key, and keys in all.
const KEY_CHARS_SHOWN: usize = 64;
const KEYS_SHOWN: usize = 8;

/// Why bytes were refused. Keys may appear in it, values never do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at `{pointer}` (byte {offset})")]
pub struct StrictJsonError {
    /// What is wrong.
    pub fault: JsonFault,
    /// Where: a JSON pointer to the innermost value (for a key: to its object), shortened when long.
    pub pointer: String,
    /// How many bytes had been read.
    pub offset: usize,
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not JSON; half a surrogate pair and bytes that are not UTF-8 included.
    #[error("not JSON")]
    Syntax,
    /// The text ends within a value, or has none.
    #[error("the JSON text ends too early")]
    Incomplete,
    /// Something follows the value.
    #[error("something follows the JSON value")]
    Trailing,
    /// A key that its object has already.
    #[error("a key appears twice")]
    DuplicateKey,
    /// A key that the JSON library keeps for itself.
    #[error("a key is reserved")]
    ReservedKey,
    /// NUL in a string or key.
    #[error("a string has a NUL character")]
    Nul,
    /// An integer that is not exactly a double, or a number too large for one.
    #[error("a number cannot be held exactly")]
    Number,
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
}

/// Reads one JSON value.
///
/// Memory and time are linear in the input; the caller bounds its size.
///
/// # Errors
/// [`StrictJsonError`] says what is wrong and where.
pub fn parse_strict(bytes: &[u8]) -> Result<Value, StrictJsonError> {
    let reader = Reader::default();
    let value = reader.read(bytes)?;
    if reader.saw_wide.get()
        && let Some(refused) = number::first_inexact(bytes)
    {
        // Rare enough to be read again, now stopping at the number, so that the error has its place.
        Reader { refused: Some(refused), ..Reader::default() }.read(bytes)?;
    }
    Ok(value)
}

/// What is known while one text is read.
#[derive(Default)]
struct Reader {
    /// Our reason, where the JSON library only knows that we stopped.
    fault: Cell<Option<JsonFault>>,
    /// The path to the fault, innermost first; empty until there is one.
    path: RefCell<Vec<String>>,
    /// How many numbers were read.
    numbers: Cell<usize>,
    /// Whether a number came that is too wide to tell an integer from an exponent.
    saw_wide: Cell<bool>,
    /// The number to stop at.
    refused: Option<usize>,
}

impl Reader {
    fn read(&self, bytes: &[u8]) -> Result<Value, StrictJsonError> {
        let mut source = serde_json::Deserializer::from_slice(bytes);
        let value = Node { reader: self, depth: 0 }.deserialize(&mut source).map_err(|e| self.error(bytes, &e))?;
        source.end().map_err(|e| StrictJsonError { fault: JsonFault::Trailing, ..self.error(bytes, &e) })?;
        Ok(value)
    }

    fn error(&self, bytes: &[u8], error: &serde_json::Error) -> StrictJsonError {
        let fault = self.fault.get().unwrap_or_else(|| {
            if error.is_eof() {
                JsonFault::Incomplete
            } else if error.to_string().starts_with("number out of range") {
                JsonFault::Number
            } else {
                JsonFault::Syntax
            }
        });
        StrictJsonError { fault, pointer: pointer(&self.path.borrow()), offset: offset(bytes, error) }
    }

    fn refuse<T, E: serde::de::Error>(&self, fault: JsonFault) -> Result<T, E> {
        self.fault.set(Some(fault));
        Err(E::custom(""))
    }

    fn check_text<E: serde::de::Error>(&self, text: &str) -> Result<(), E> {
        if text.as_bytes().contains(&0) { self.refuse(JsonFault::Nul) } else { Ok(()) }
    }

    fn check_number<E: serde::de::Error>(&self, exact: bool) -> Result<(), E> {
        let ordinal = self.numbers.get();
        self.numbers.set(ordinal + 1);
        if exact && self.refused != Some(ordinal) { Ok(()) } else { self.refuse(JsonFault::Number) }
    }

    fn within<E>(&self, error: E, step: impl FnOnce() -> String) -> E {
        self.path.borrow_mut().push(step());
        error
    }
}

/// One value at a depth.
#[derive(Clone, Copy)]
struct Node<'r> {
    reader: &'r Reader,
    depth: usize,
}

impl Node<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= DEPTH_MAX {
            return self.reader.refuse(JsonFault::TooDeep);
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.reader.check_number(number::is_exact(value))?;
        Ok(Value::from(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.reader.check_number(number::is_exact(value.unsigned_abs()))?;
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.reader.check_number(value.is_finite())?;
        if value.abs() >= number::WIDE {
            self.reader.saw_wide.set(true);
        }
        Ok(Value::from(value))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.reader.check_text(text)?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let node = self.deeper()?;
        let mut items = Vec::new();
        loop {
            let item = source.next_element_seed(node);
            match item.map_err(|e| self.reader.within(e, || items.len().to_string()))? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let node = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = source.next_key_seed(Key { reader: self.reader })? {
            let value = source.next_value_seed(node).map_err(|e| self.reader.within(e, || shown(&key)))?;
            match map.entry(key) {
                serde_json::map::Entry::Vacant(place) => {
                    place.insert(value);
                }
                serde_json::map::Entry::Occupied(place) => {
                    let fault = self.reader.refuse::<(), A::Error>(JsonFault::DuplicateKey);
                    fault.map_err(|e| self.reader.within(e, || shown(place.key())))?;
                }
            }
        }
        Ok(Value::Object(map))
    }
}

/// A key of an object.
struct Key<'r> {
    reader: &'r Reader,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;
    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<String, D::Error> {
        source.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<String, E> {
        self.reader.check_text(key)?;
        if key.starts_with(RESERVED_PREFIX) {
            return self.reader.refuse(JsonFault::ReservedKey);
        }
        Ok(key.to_owned())
    }
}

/// One step of a JSON pointer.
fn shown(key: &str) -> String {
    let mut step = String::new();
    for (count, c) in key.chars().enumerate() {
        match c {
            _ if count == KEY_CHARS_SHOWN => {
                step.push('…');
                break;
            }
            '~' => step.push_str("~0"),
            '/' => step.push_str("~1"),
            c if c.is_control() => step.push('\u{fffd}'),
            c => step.push(c),
        }
    }
    step
}

fn pointer(path: &[String]) -> String {
    let mut pointer = String::new();
    for (count, step) in path.iter().rev().enumerate() {
        pointer.push('/');
        if count == KEYS_SHOWN {
            pointer.push('…');
            break;
        }
        pointer.push_str(step);
    }
    pointer
}

/// The place of an error in bytes; the library counts lines and bytes within the line.
fn offset(bytes: &[u8], error: &serde_json::Error) -> usize {
    let before: usize =
        bytes.split_inclusive(|b| *b == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    (before + error.column()).min(bytes.len())
}
