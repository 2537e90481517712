use std::process::ExitCode;

fn main() -> ExitCode {
    flyte::cli::run().into()
}
