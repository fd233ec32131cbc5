//! `exeat completions`: a script for a shell.

use clap_complete::Shell;

use crate::exit::Exit;
use crate::failure::Failure;

/// For which shell.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat completions bash > ~/.local/share/bash-completion/completions/exeat\n  exeat completions zsh > ~/.zfunc/_exeat"
)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Runs it.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::cli::command(), "exeat", &mut script);
    std::io::Write::write_all(&mut std::io::stdout().lock(), &script)?;
    Ok(Exit::Ok)
}
