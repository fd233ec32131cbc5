//! The `exeat` binary. Everything it does is in the library beside it, so that tests reach it.

// Measured: a fifth of the server's time went into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // Before anything else: asked so, this is the process that starts confined commands, and nothing more.
    guard::spawner::run_if_asked();
    // Before there is anything that it should not know.
    guard::spawner::prepare_if_asked("exec");
    exeat::cli::main()
}
