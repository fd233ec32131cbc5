//! The `exeat` binary. Everything it does is in the library beside it, so that tests reach it.

fn main() -> std::process::ExitCode {
    exeat::cli::main()
}
