//! Runs the command line and turns its outcome into an exit code.

fn main() -> std::process::ExitCode {
    portmortem::cli::run()
}
