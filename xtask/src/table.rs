//! Plain text tables: the first column to the left, the others to the right.

/// Renders rows under a heading, columns aligned by their widest cell.
pub(crate) fn render(heading: &[&str], rows: &[Vec<String>]) -> String {
    let mut width: Vec<usize> = heading.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        assert_eq!(
            row.len(),
            heading.len(),
            "every row has one cell per column"
        );
        for (column, cell) in row.iter().enumerate() {
            width[column] = width[column].max(cell.chars().count());
        }
    }
    let heading: Vec<String> = heading.iter().map(|cell| (*cell).to_string()).collect();
    let rule: Vec<String> = width.iter().map(|w| "-".repeat(*w)).collect();
    let mut text = String::new();
    for row in [&heading, &rule].into_iter().chain(rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            if column == 0 {
                line.push_str(&format!("{cell:<w$}", w = width[0]));
            } else {
                line.push_str(&format!("  {cell:>w$}", w = width[column]));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_aligned() {
        let text = super::render(
            &["file", "n"],
            &[
                vec!["a".into(), "10".into()],
                vec!["long name".into(), "7".into()],
            ],
        );
        assert_eq!(
            text,
            "file        n\n---------  --\na          10\nlong name   7\n"
        );
    }
}
