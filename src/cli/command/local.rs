use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Result;
#[derive(Debug, clap::Args)]
pub struct Args {}
impl Args {
    pub fn name(&self) -> &'static str {
        "local"
    }
}
pub fn run(_: &Context, _: &Args) -> Result<Answer> {
    todo!()
}
