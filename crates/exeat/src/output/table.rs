//! Tables without lines: a bold head, two spaces between columns, shrinking to the terminal.

use comfy_table::{ContentArrangement, presets};

use super::BOLD;

/// A table being filled.
#[derive(Debug)]
pub struct Table(comfy_table::Table);

impl Table {
    /// An empty table with its column heads.
    #[must_use]
    pub fn new(heads: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(heads.to_vec());
        Self(table)
    }

    /// Adds a row. Its cells have passed [`super::clean`].
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.add_row(cells);
    }

    /// The text with its head in bold; `None` without rows.
    #[must_use]
    pub(super) fn render(mut self) -> Option<String> {
        if self.0.row_count() == 0 {
            return None;
        }
        let count = self.0.column_count();
        for index in 0..count {
            if let Some(column) = self.0.column_mut(index) {
                column.set_padding((0, if index + 1 == count { 0 } else { 2 }));
            }
        }
        let text = self.0.trim_fmt();
        let (head, rest) = text.split_once('\n').unwrap_or((&text, ""));
        Some(format!("{BOLD}{head}{BOLD:#}\n{rest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_up_columns_and_ends_no_line_in_blanks() {
        let mut table = Table::new(&["id", "what"]);
        assert!(Table::new(&["id"]).render().is_none());
        table.row(["appr_1".to_owned(), "short".to_owned()]);
        table.row(["a".to_owned(), "x".to_owned()]);
        let text = anstream::adapter::strip_str(&table.render().unwrap()).to_string();
        assert_eq!(text, "id      what\nappr_1  short\na       x");
    }
}
