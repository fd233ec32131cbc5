//! One way to write a policy file. Comments stay; formatting twice changes nothing more.
//!
//! The keys of a rule stand in one order, a blank line stands before each table, lists that do not
//! fit into a line are broken one value per line.

use toml_edit::{Array, Decor, DocumentMut, InlineTable, Item, RawString, Table, Value};

use crate::load::KEYS;
use crate::problem::Problem;
use crate::write;

/// LIMIT: a list longer than this many characters is broken.
const WIDTH: usize = 100;

/// The text of a policy file, formatted.
///
/// # Errors
/// The text is not TOML. It need not be a policy that loads.
pub fn format(name: &str, text: &str) -> Result<String, Problem> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Problem {
            file: name.to_owned(),
            line: number(before.matches('\n').count() + 1),
            column: number(before.rsplit('\n').next().unwrap_or_default().chars().count() + 1),
            message: error.message().trim().replace('\n', ", "),
            hint: None,
        }
    })?;
    table(document.as_table_mut(), true);
    let trailing = comments(document.trailing().as_str().unwrap_or_default());
    document.set_trailing(if trailing.is_empty() { String::new() } else { format!("\n{trailing}") });
    let text = document.to_string();
    Ok(text.trim_start_matches('\n').to_owned())
}

fn table(table: &mut Table, top: bool) {
    let about = comments(prefix(table.decor()));
    if !top {
        let after = trailing_comment(suffix(table.decor()));
        *table.decor_mut() = Decor::new(format!("\n{about}"), after);
    }
    let place = |key: &str| KEYS.iter().position(|known| *known == key).unwrap_or(KEYS.len());
    if table.contains_key("id") {
        table.sort_values_by(|a, _, b, _| place(a.get()).cmp(&place(b.get())));
    }
    let mut first = top;
    for (mut key, item) in table.iter_mut() {
        match item {
            Item::Value(value) => {
                let above = comments(prefix(key.leaf_decor()));
                let above = if first { above.trim_start_matches('\n').to_owned() } else { above };
                *key.leaf_decor_mut() = Decor::new(above, " ");
                self::value(value, key.get().len());
            }
            Item::Table(inner) => self::table(inner, false),
            Item::ArrayOfTables(list) => list.iter_mut().for_each(|inner| self::table(inner, false)),
            Item::None => {}
        }
        first = false;
    }
}

fn value(value: &mut Value, used: usize) {
    let after = trailing_comment(suffix(value.decor()));
    match value {
        Value::Array(list) => array(list, used),
        Value::InlineTable(inner) => inline(inner),
        Value::String(held)
            if held.as_repr().and_then(|repr| repr.as_raw().as_str()).is_some_and(|raw| !raw.contains('\n')) =>
        {
            *held = toml_edit::Formatted::new(held.value().clone());
            if let Ok(Value::String(plain)) = write::text(held.value()).parse::<Value>() {
                *held = plain;
            }
        }
        _ => {}
    }
    *value.decor_mut() = Decor::new(" ", after);
}

fn inline(table: &mut InlineTable) {
    let last = table.len().saturating_sub(1);
    for (number, (mut key, value)) in table.iter_mut().enumerate() {
        *key.leaf_decor_mut() = Decor::new(" ", " ");
        self::value(value, 0);
        value.decor_mut().set_suffix(if number == last { " " } else { "" });
    }
}

fn array(list: &mut Array, used: usize) {
    let commented = |raw: Option<&RawString>| raw.and_then(RawString::as_str).is_some_and(|text| text.contains('#'));
    let has_comments = list.iter().any(|each| commented(each.decor().prefix()) || commented(each.decor().suffix()))
        || commented(Some(list.trailing()));
    let mut kept = Vec::with_capacity(list.len());
    for each in list.iter_mut() {
        kept.push((comments(prefix(each.decor())), trailing_comment(suffix(each.decor()))));
        value(each, 0);
        each.decor_mut().clear();
    }
    let long = used + 5 + list.iter().map(|each| each.to_string().trim().chars().count() + 2).sum::<usize>() > WIDTH;
    let mut trailing = comments(list.trailing().as_str().unwrap_or_default());
    // What stands after the last value, before the comma that it gets.
    if let Some((_, after)) = kept.last_mut() {
        trailing.insert_str(0, &comments(&std::mem::take(after)));
    }
    for (number, (each, (above, after))) in list.iter_mut().zip(&kept).enumerate() {
        let above = indented(above);
        let after = if after.is_empty() { String::new() } else { format!("{after}\n    ") };
        let decor = each.decor_mut();
        match (has_comments || long, number) {
            (true, _) => *decor = Decor::new(format!("\n{above}    "), after),
            (false, 0) => *decor = Decor::new("", ""),
            (false, _) => *decor = Decor::new(" ", ""),
        }
    }
    list.set_trailing_comma(has_comments || long);
    list.set_trailing(if has_comments || long { format!("\n{}", indented(&trailing)) } else { String::new() });
}

fn indented(comments: &str) -> String {
    comments.lines().map(|line| if line.is_empty() { String::new() } else { format!("    {line}\n") }).collect()
}

fn prefix(decor: &Decor) -> &str {
    decor.prefix().and_then(RawString::as_str).unwrap_or_default()
}

fn suffix(decor: &Decor) -> &str {
    decor.suffix().and_then(RawString::as_str).unwrap_or_default()
}

/// The comments of what stands above something, each on a line of its own; one blank line between
/// blocks stays.
fn comments(text: &str) -> String {
    let mut out = String::new();
    let mut blank = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() {
            blank = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut blank) {
            out.push('\n');
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// The comment at the end of a line.
fn trailing_comment(text: &str) -> String {
    let comment = text.trim();
    if comment.is_empty() { String::new() } else { format!(" {comment}") }
}
