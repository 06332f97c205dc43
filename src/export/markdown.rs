//! Markdown: the filled template as it is.

use super::Export;

/// Markdown.
pub static MARKDOWN: Export = Export {
    name: "markdown",
    extension: "md",
    about: "Markdown, as the template gives it",
    write: |document, out| out.write_all(document.rendered.markdown.as_bytes()),
};
