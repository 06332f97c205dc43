//! How subcommands that print one document print it: as lines or as JSON.

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines to read.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// Arguments that such subcommands share.
#[derive(clap::Args)]
pub struct Printing {
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}
