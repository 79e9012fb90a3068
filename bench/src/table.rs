//! Tables: in columns for eyes, or as Markdown.

/// In which form to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Columns, for eyes.
    Text,
    /// Tables, for the documents.
    Markdown,
}

/// A table, a line a row. Every row has as many cells as there are heads.
pub fn table(heads: &[&str], rows: &[Vec<String>], form: Form) -> String {
    if form == Form::Markdown {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let heads: Vec<String> = heads.iter().map(|&head| head.to_owned()).collect();
        let rule = vec!["---".to_owned(); heads.len()];
        return [heads, rule].iter().chain(rows).map(|cells| line(cells)).collect();
    }
    let heads = heads.iter().map(|&head| head.to_owned()).collect::<Vec<_>>();
    let lines: Vec<&Vec<String>> = std::iter::once(&heads).chain(rows).collect();
    let width =
        |index: usize| lines.iter().map(|cells| cells[index].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    lines.into_iter().map(line).collect()
}
