//! PostgreSQL's binary form of our moments, and borrowed values as parameters.

use std::error::Error;

use bytes::{BufMut as _, BytesMut};
use model::Time;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// Milliseconds between the Unix epoch and PostgreSQL's, 2000-01-01.
const EPOCH_MILLIS: i64 = 946_684_800_000;

/// A moment as `timestamptz`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PgTime(pub(crate) Time);

impl ToSql for PgTime {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i64((self.0.as_millis() - EPOCH_MILLIS) * 1_000);
        Ok(IsNull::No)
    }
    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for PgTime {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        Ok(Self(Time::from_millis(micros.div_euclid(1_000) + EPOCH_MILLIS)))
    }
    accepts!(TIMESTAMPTZ);
}
