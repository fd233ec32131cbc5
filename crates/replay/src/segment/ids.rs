//! The ids of a segment's decisions, apart from everything else.

use model::DecisionId;

use super::wire::{Reader, checksum, put, put_len};
use super::{DecodeError, MAGIC_IDS, ROWS_MAX, VERSION};

/// The ids of the rows of one segment, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids(Vec<DecisionId>);

impl Ids {
    /// Writes ids, each as what differs from the one before.
    pub(super) fn encode<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + ids.len() * 24);
        out.extend_from_slice(&MAGIC_IDS);
        out.push(VERSION);
        out.extend_from_slice(&u32::try_from(ids.len()).unwrap_or(u32::MAX).to_le_bytes());
        let mut before = "";
        for id in ids {
            let shared = before.bytes().zip(id.bytes()).take_while(|(a, b)| a == b).count();
            let rest = id.as_bytes().get(shared..).unwrap_or_default();
            put_len(&mut out, shared);
            put(&mut out, rest.len() as u64);
            out.extend_from_slice(rest);
            before = id;
        }
        let sum = checksum(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads the ids of a segment.
    ///
    /// # Errors
    /// [`DecodeError`], for whatever bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (body, sum) = bytes.split_last_chunk::<8>().ok_or(DecodeError::Magic)?;
        let mut reader = Reader::new(body);
        if reader.array::<4>() != Ok(MAGIC_IDS) {
            return Err(DecodeError::Magic);
        }
        let [version] = reader.array::<1>()?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        if checksum(body) != u64::from_le_bytes(*sum) {
            return Err(DecodeError::Checksum);
        }
        let rows = usize::try_from(u32::from_le_bytes(reader.array()?)).map_err(|_| DecodeError::Number)?;
        if rows > ROWS_MAX || rows > reader.rest().len() {
            return Err(DecodeError::Number);
        }
        let mut ids = Vec::with_capacity(rows);
        let mut text = String::new();
        for _ in 0..rows {
            let shared = usize::try_from(reader.number()?).map_err(|_| DecodeError::Number)?;
            let rest = reader.count(1)?;
            let rest = std::str::from_utf8(reader.take(rest)?).map_err(|_| DecodeError::Text)?;
            if shared > text.len() || !text.is_char_boundary(shared) {
                return Err(DecodeError::Number);
            }
            text.truncate(shared);
            text.push_str(rest);
            ids.push(DecisionId::parse(&text).map_err(|_| DecodeError::Text)?);
        }
        reader.end()?;
        Ok(Self(ids))
    }

    /// How many there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.0.len()
    }

    /// The id of a row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&DecisionId> {
        self.0.get(row)
    }
}
