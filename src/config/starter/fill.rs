//! Text with named places, `@so@`. Pure.

/// Fills the places of a text. A place alone on its line takes several lines, each as far to the right as the place; an empty value
/// takes the line away. Values may hold places that come later in the list.
pub(super) fn fill(template: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| place(&text, &format!("@{name}@"), value))
}

fn place(text: &str, mark: &str, value: &str) -> String {
    let mut out = String::with_capacity(text.len() + value.len());
    for line in text.split_inclusive('\n') {
        if line.trim() != mark {
            out.push_str(&line.replace(mark, value));
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        for row in value.lines() {
            if !row.is_empty() {
                out.push_str(indent);
                out.push_str(row);
            }
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn places_take_words_lines_or_nothing() {
        let template = "a: @one@\n  @many@\n  @none@\nz: @one@@two@\n";
        let values = [
            ("one", "1".to_owned()),
            ("many", "b: @two@\n\n- c\n".to_owned()),
            ("none", String::new()),
            ("two", "2".to_owned()),
        ];
        assert_eq!(fill(template, &values), "a: 1\n  b: 2\n\n  - c\nz: 12\n");
    }
}
