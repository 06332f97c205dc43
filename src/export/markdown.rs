//! Markdown: the filled template as it is.

use super::Export;

/// Markdown.
pub static MARKDOWN: Export = Export {
    name: "markdown",
    extension: "md",
    about: "Markdown, as the template gives it",
    write: |job, out| out.text(&job.rendered.map(|rendered| without_figures(&rendered.markdown))),
};

/// Leaves out the lines that only place a figure: plain text has none.
pub fn without_figures(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut after_figure = false;
    for line in markdown.lines() {
        if line.starts_with("![") && line.contains("](figure:") {
            after_figure = true;
            continue;
        }
        if !(after_figure && line.is_empty()) {
            out.push_str(line);
            out.push('\n');
        }
        after_figure = false;
    }
    out
}
