//! `portmortem ask`: prints a question to a lake, and the line that runs it. It is no engine itself.

use anyhow::{Result, bail};

use super::{Outcome, print};

/// Arguments of `ask`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The question; without one, all are listed.
    #[arg(value_name = "QUESTION")]
    question: Option<String>,
    /// The lake, for the line that runs it.
    #[arg(long, value_name = "LAKE", default_value = "LAKE")]
    lake: String,
}

/// The questions by their names, as `fleet/questions` has them.
const QUESTIONS: &[(&str, &str)] = &[
    ("before_after", include_str!("../../fleet/questions/before_after.sql")),
    ("bounds", include_str!("../../fleet/questions/bounds.sql")),
    ("clients", include_str!("../../fleet/questions/clients.sql")),
    ("errors", include_str!("../../fleet/questions/errors.sql")),
    ("never_served", include_str!("../../fleet/questions/never_served.sql")),
    ("refused", include_str!("../../fleet/questions/refused.sql")),
    ("same_hour", include_str!("../../fleet/questions/same_hour.sql")),
    ("slowest", include_str!("../../fleet/questions/slowest.sql")),
    ("top_failing", include_str!("../../fleet/questions/top_failing.sql")),
    ("unreported", include_str!("../../fleet/questions/unreported.sql")),
];

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let Some(wanted) = &arguments.question else { return print(list().as_bytes()) };
    let Some((name, text)) = QUESTIONS.iter().find(|(name, _)| name == wanted) else {
        let known: Vec<&str> = QUESTIONS.iter().map(|(name, _)| *name).collect();
        bail!("no question is called {}; there are {}", crate::text::quoted(wanted), known.join(", "));
    };
    let values: Vec<String> = defaults(text).map(|(name, value)| format!(" {name}={value}")).collect();
    let values = values.concat();
    let lake = crate::text::shell(&arguments.lake);
    print(format!("{text}\n-- python fleet/ask.py {lake} {name}{values}\n").as_bytes())
}

/// Each question with what it asks.
fn list() -> String {
    let about = |text: &'static str| text.lines().next().unwrap_or_default().trim_start_matches("-- ");
    let rows: Vec<String> =
        QUESTIONS.iter().map(|(name, text)| format!("{name:<13} {}\n", about(text))).collect();
    rows.concat()
}

/// The values a question takes, with what they are unless others are given.
fn defaults(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.strip_prefix("-- :")?.split_once(" = "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_says_what_it_asks_and_is_listed() {
        let mut names: Vec<String> = std::fs::read_dir("fleet/questions")
            .expect("they are there")
            .map(|entry| entry.expect("readable").path())
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        let known: Vec<&str> = QUESTIONS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, known);
        assert!(list().lines().all(|line| line.ends_with('.')), "{}", list());
        let (_, text) = QUESTIONS.first().expect("one");
        assert_eq!(defaults(text).collect::<Vec<_>>(), [("change_ns", "1715695200000000000")]);
    }
}
