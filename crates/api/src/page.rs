//! Pages of lists: `limit`, and a `cursor` that only this server understands.

use data_encoding::BASE64URL_NOPAD;

use crate::problem::Problem;
use crate::query::Query;

/// Rows of a page when the caller does not say.
const LIMIT_DEFAULT: i64 = 50;

/// The parameters of every list.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its documentation is used")]
pub(crate) struct PageParams {
    /// Rows at most, from 1; more than 500 counts as 500. Without it 50.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Which part of a list is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    tag: &'static str,
    limit: usize,
    /// Where the page before ended.
    pub(crate) after: Option<String>,
}

impl Page {
    /// Reads `limit` and `cursor`. A cursor is only good for the list it came from, named by `tag`.
    ///
    /// # Errors
    /// 400 when `limit` is not an integer of at least 1 or the cursor is not one of this list.
    pub(crate) fn read(query: &Query<'_>, tag: &'static str) -> Result<Self, Problem> {
        let limit = query
            .read("limit", "an integer of at least 1 is wanted", |text| {
                let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                // Digits that overflow are a large number: capped like one.
                digits.then(|| text.parse::<i64>().unwrap_or(i64::MAX)).filter(|n| *n >= 1)
            })?
            .unwrap_or(LIMIT_DEFAULT)
            .min(store::query::LIMIT_MAX);
        let after = query.read("cursor", "not a cursor of this list", |text| open(tag, text))?;
        Ok(Self { tag, limit: usize::try_from(limit).unwrap_or(1), after })
    }

    /// How many rows to read: one more than is shown, to know whether there are more.
    pub(crate) fn rows(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// Cuts `rows` to the page and gives the cursor of the next one.
    pub(crate) fn cut<T>(&self, rows: &mut Vec<T>, place: impl Fn(&T) -> String) -> Option<String> {
        if rows.len() <= self.limit {
            return None;
        }
        rows.truncate(self.limit);
        rows.last().map(|row| seal(self.tag, &place(row)))
    }
}

fn seal(tag: &str, place: &str) -> String {
    BASE64URL_NOPAD.encode(format!("1|{tag}|{place}").as_bytes())
}

fn open(tag: &str, cursor: &str) -> Option<String> {
    let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let place = text.strip_prefix("1|")?.strip_prefix(tag)?.strip_prefix('|')?;
    (!place.is_empty() && place.bytes().all(|b| b != 0)).then(|| place.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Page> {
        Page::read(&Query::parse(Some(text)).unwrap(), "rooms").ok()
    }

    #[test]
    fn limits_are_integers_of_at_least_one_and_capped() {
        for (text, limit) in [
            ("", Some(50)),
            ("limit=1", Some(1)),
            ("limit=007", Some(7)),
            ("limit=501", Some(500)),
            ("limit=99999999999999999999999", Some(500)),
            ("limit=0", None),
            ("limit=-1", None),
            ("limit=%2B1", None),
            ("limit=1.0", None),
            ("limit=ten", None),
            ("limit=1&limit=2", None),
        ] {
            assert_eq!(read(text).map(|page| page.limit), limit, "{text}");
        }
    }

    #[test]
    fn a_cursor_is_good_for_its_own_list_only() {
        let page = read("limit=2").unwrap();
        let mut rows = vec!["a", "b", "c"];
        let cursor = page.cut(&mut rows, |row| (*row).to_owned()).unwrap();
        assert_eq!(rows, ["a", "b"]);
        assert_eq!(page.cut(&mut rows, |row| (*row).to_owned()), None);
        assert_eq!(read(&format!("cursor={cursor}")).unwrap().after.as_deref(), Some("b"));
        let other = seal("agents", "b");
        for bad in [other.as_str(), "x", "!!", "AAAA", &seal("rooms", "")] {
            assert_eq!(read(&format!("cursor={bad}")), None, "{bad}");
        }
    }
}
