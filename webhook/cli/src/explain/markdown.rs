//! A page as Markdown, as it stands in docs/policies.

use super::document::{Block, Document, Table};

/// The whole page.
pub(super) fn of(document: &Document) -> String {
    let mut text =
        format!("<!-- Made by `cargo xtask pages`; change what it is made from. -->\n# {}\n", document.title);
    for block in &document.blocks {
        text.push('\n');
        text.push_str(&block_text(block));
    }
    text
}

fn block_text(block: &Block) -> String {
    match block {
        Block::Heading(heading) => format!("## {heading}\n"),
        Block::Paragraph(text) => format!("{}\n", text.trim()),
        Block::Bullets(texts) => texts.iter().map(|text| format!("- {}\n", bullet(text))).collect(),
        Block::Table(table) => of_table(table),
        Block::Example(yaml) => format!("```yaml\n{}\n```\n", yaml.trim_end()),
    }
}

/// An address is shown as one.
fn bullet(text: &str) -> String {
    if text.starts_with("https://") { format!("<{text}>") } else { text.to_owned() }
}

fn of_table(table: &Table) -> String {
    let rule = table.columns.iter().map(|_| "---").collect::<Vec<_>>().join("|");
    let mut text = format!("| {} |\n|{rule}|\n", table.columns.join(" | "));
    for row in &table.rows {
        let cells = row.iter().enumerate().map(|(at, text)| cell(text, table.of_pages && at == 0));
        text.push_str(&format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
    }
    text
}

/// Pipes end a cell even within code.
fn cell(text: &str, is_page: bool) -> String {
    let text = text.replace('|', "\\|").replace('\n', " ");
    if is_page { format!("[{text}]({text}.md)") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_their_pipes_and_pages_are_linked() {
        let table = Table { columns: vec!["a", "b"], rows: vec![vec!["x".into(), "1|2".into()]], of_pages: true };
        assert_eq!(of_table(&table), "| a | b |\n|---|---|\n| [x](x.md) | 1\\|2 |\n");
    }

    #[test]
    fn a_page_begins_with_its_title_and_what_makes_it() {
        let document = Document { title: "a".into(), blocks: vec![Block::Heading("Why")] };
        assert!(of(&document).starts_with("<!-- Made by `cargo xtask pages`"));
        assert!(of(&document).ends_with("# a\n\n## Why\n"));
    }
}
