//! Parses a filter given on the command line and shows a mistake under the text, where it is.

use anyhow::{Result, anyhow};
use unicode_width::UnicodeWidthChar as _;

use super::load::Open;
use crate::case::Case;
use crate::case::store::Paths;
use crate::filter::{Context, Filter, FilterError};
use crate::index::Index;
use crate::text::is_unsafe;
use crate::tui::settings;

/// Parses `text`; the error shows it with the mistake marked. `$name` may also be a filter of the user's
/// configuration, or of the case beside the first capture.
pub fn parse(text: &str, open: &Open) -> Result<Filter> {
    if !text.contains('$') {
        return Filter::parse(text).map_err(|error| anyhow!(marked(text, &error)));
    }
    let (named, wrong) = settings::filters();
    if let Some(wrong) = wrong {
        super::complain_line(&format!("warning: {wrong}"));
    }
    let case = open.files.first().and_then(|file| Case::read_state(&Paths::beside(file)).ok());
    let own = |name: &str| case.as_ref().and_then(|(state, _)| state.filters.get(name).cloned());
    Filter::parse_with(text, &own, &named).map_err(|error| anyhow!(marked(text, &error)))
}

/// Says on standard error what in the filter can match nothing; an error where it can match nothing in such captures.
#[expect(clippy::print_stderr, reason = "a warning must not mix with the packets on standard output")]
pub fn warn(filter: &Filter, context: &Context<'_>) -> Result<()> {
    check(filter, context.index)?;
    for (_, message) in filter.warnings(context) {
        eprintln!("portmortem: warning: {message}");
    }
    Ok(())
}

/// The mistake of a filter that can match nothing in such captures.
pub fn check(filter: &Filter, index: &Index) -> Result<()> {
    match filter.host_without_number(index) {
        Some(error) => Err(anyhow!(marked(filter.text(), &error))),
        None => Ok(()),
    }
}

fn marked(text: &str, error: &FilterError) -> String {
    let mut shown = String::new();
    let (mut before, mut under) = (0, 0);
    for (at, character) in text.char_indices() {
        let width = character.width().unwrap_or(1);
        // One for one, so that the mark stays under its place.
        shown.push(if is_unsafe(character) { '\u{fffd}' } else { character });
        if at < error.span.start {
            before += width;
        } else if at < error.span.end {
            under += width;
        }
    }
    let suggestion =
        error.suggestion.as_ref().map(|word| format!(" did you mean `{word}`?")).unwrap_or_default();
    format!(
        "in the filter: {}\n  {shown}\n  {}{}{suggestion}",
        error.message,
        " ".repeat(before),
        "^".repeat(under.max(1))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_under_the_mistake_also_after_wide_and_unsafe_characters() {
        let error = FilterError {
            span: 8..10,
            message: "wrong".to_owned(),
            suggestion: Some("ip".to_owned()),
            unfinished: false,
        };
        assert_eq!(
            marked("漢\u{202e}a ix", &error),
            "in the filter: wrong\n  漢\u{fffd}a ix\n      ^^ did you mean `ip`?"
        );
    }
}
