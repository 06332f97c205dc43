//! Every number of the rules that can change what is found or judged, as rows of the table of parameters.
//!
//! `assets/thresholds.txt` is made from the constants of the rules; `tests/tidy.rs` fails where the two differ.

use super::hypotheses::{matrix, thresholds};
use crate::time::{self, Nanos};

/// File, name, type, value and meaning of each constant, separated by tabs.
static CONSTANTS: &str = include_str!("../../assets/thresholds.txt");

/// One number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// The value, with its unit.
    pub value: String,
    /// What it decides.
    pub meaning: String,
    /// Where it is used, or where it comes from.
    pub source: String,
}

/// Thresholds and limits of the rules, thresholds of the judgement, and the weights of its evidence.
pub fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = CONSTANTS.lines().filter_map(constant).collect();
    for (name, value, meaning) in thresholds::TABLE {
        let value = if name.ends_with("_NS") { time::span(*value) } else { value.to_string() };
        let (name, meaning) = (name.to_lowercase(), meaning.trim().to_owned());
        rows.push(Row { name, value, meaning, source: "judgement of causes".to_owned() });
    }
    for (name, row) in matrix::rows() {
        let weight = |db: Option<i32>| db.map_or_else(|| "excluded".to_owned(), |db| format!("{db:+}"));
        let weights: Vec<String> = row.all().map(|(cause, db)| format!("{cause} {}", weight(db))).collect();
        let reasons: Vec<&str> =
            [row.fits, row.against].into_iter().filter(|text| !text.is_empty()).collect();
        rows.push(Row {
            name: format!("{} {}", row.id(), name.to_lowercase()),
            value: format!("{} dB", weights.join(", ")),
            meaning: reasons.join("; "),
            source: row.source.to_owned(),
        });
    }
    rows
}

fn constant(line: &str) -> Option<Row> {
    let mut cells = line.split('\t');
    let (file, name, kind) = (cells.next()?, cells.next()?, cells.next()?);
    let (value, meaning) = (cells.next()?, cells.next()?);
    let plain = value.replace('_', "");
    let value = match plain.parse::<Nanos>() {
        Ok(span) if kind == "Nanos" => time::span(span),
        _ => plain,
    };
    let source = format!("rule {}", file.trim_end_matches(".rs").replace('_', "-"));
    Some(Row { name: name.to_lowercase(), value, meaning: meaning.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_of_rules_judgement_and_weights_are_rows() {
        let rows = rows();
        let value = |source: &str, name: &str| {
            rows.iter().find(|row| row.name == name && row.source == source).map(|row| row.value.as_str())
        };
        assert_eq!(value("rule findings/tcp-failures", "few_dns"), Some("2"));
        assert_eq!(value("rule findings/tcp-failures", "watch_ns"), Some("3.000 s"));
        assert_eq!(value("judgement of causes", "best_db"), Some("15"));
        assert!(rows.iter().any(|row| row.name.starts_with("L2 ")));
        assert!(rows.iter().all(|row| !row.value.is_empty() && !row.source.is_empty()));
    }
}
