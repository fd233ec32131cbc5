//! The tree of commands and what happens around one: parse, load the configuration, run, tell.

mod global;
mod refusal;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Arg, ArgAction, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use global::{ColorWhen, GlobalArgs};

use crate::commands::{self, App};
use crate::config::{ClientConfig, Config, Environment, Flags, Key, Layers, Places};
use crate::exit::Exit;
use crate::failure::Failure;

/// Help that leads with examples.
const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The gate through which agents go out: ask, decide, write it down, and only then leave.
#[derive(Debug, Parser)]
#[command(
    name = "exeat",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    before_help = "Examples:\n  exeat demo\n  exeat dev\n  exeat check egress https://example.com/ --method GET\n  exeat approvals list --status pending\n  exeat approvals approve ID --for 10m --reason \"release day\"\n  exeat runs create --egress https://example.com/ --watch\n  exeat egress tail\n  exeat why ID",
    after_help = "The server is found by --server or EXEAT_URL, the key by EXEAT_KEY or EXEAT_KEY_FILE, and both by a running `exeat dev`.\nExit codes: 0 ok, 1 failure, 2 usage, 3 denied, 4 approval pending, 5 not authorised, 6 not found, 7 conflict, 8 unreachable, 9 integrity."
)]
pub struct Cli {
    /// What every command understands.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands, the daily ones first.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take a tour: three runs, one allowed, one blocked, one that waits for a person
    Demo(commands::demo::Args),
    /// Run everything in one process, in memory
    Dev(commands::dev::Args),
    /// Run a command that has no way out but the gate
    Exec(Box<commands::exec::Args>),
    /// Find out what of the guard holds on this machine
    Doctor(commands::doctor::Args),
    /// Run the server on its store
    Serve(commands::serve::Args),
    /// Ask whether something would be allowed, without doing it
    #[command(subcommand)]
    Check(commands::check::Command),
    /// Say yes or no to what agents ask for
    #[command(subcommand)]
    Approvals(commands::approvals::Command),
    /// Explain a decision in words
    Why(commands::why::Args),
    /// See requests to leave
    #[command(subcommand)]
    Egress(commands::egress::Command),
    /// Lead a program's requests through the proxy
    #[command(subcommand)]
    Proxy(commands::proxy::Command),
    /// Read the event log
    #[command(subcommand)]
    Events(commands::events::Command),
    /// Queue runs, follow them, and see why they failed
    #[command(subcommand)]
    Runs(commands::runs::Command),
    /// Drive queued runs in a process of their own
    Worker(commands::worker::Args),
    /// Show how the server is doing
    Status(commands::status::Args),
    /// Show or set whether decisions block (enforce) or are only recorded (shadow)
    #[command(subcommand)]
    Mode(commands::mode::Command),
    /// Write rules, see exactly what they change, try them, publish them
    #[command(subcommand)]
    Policy(commands::policy::Command),
    /// See what would have been blocked, and what would let it pass
    #[command(subcommand)]
    Shadow(commands::shadow::Command),
    /// Stop every write to the outside at once
    #[command(subcommand)]
    KillSwitch(commands::kill_switch::Command),
    /// Show or set a workspace's defaults and quota
    #[command(subcommand)]
    Settings(commands::settings::Command),
    /// Register, quarantine and revoke agents
    #[command(subcommand)]
    Agents(commands::agents::Command),
    /// Create principals
    #[command(subcommand)]
    Principals(commands::principals::Command),
    /// Grant, narrow and revoke what principals may do
    #[command(subcommand)]
    Capabilities(commands::capabilities::Command),
    /// Create and list rooms
    #[command(subcommand)]
    Rooms(commands::rooms::Command),
    /// Label data by how carefully it must be treated
    #[command(subcommand)]
    Labels(commands::labels::Command),
    /// See and change what is known of actions
    #[command(subcommand)]
    Registry(commands::registry::Command),
    /// Make, list and revoke keys
    #[command(subcommand)]
    Keys(commands::keys::Command),
    /// Work on the store itself
    #[command(subcommand)]
    Db(commands::db::Command),
    /// List every reason a decision can have, with its remedy
    ReasonCodes(commands::reason_codes::Args),
    /// Show the configuration and where each value comes from
    #[command(subcommand)]
    Config(commands::config::Command),
    /// Print a completion script for a shell
    Completions(commands::completions::Args),
    /// Write the manual pages
    Man(commands::man::Args),
    /// Print the version
    Version(commands::version::Args),
}

/// The tree, with help that leads with examples everywhere.
#[must_use]
pub fn command() -> clap::Command {
    // One help for `-h` and `--help`: two that differ make people look twice.
    fn led_by_examples(command: clap::Command) -> clap::Command {
        let help = Arg::new("help").short('h').long("help").action(ArgAction::HelpShort).help("Print help");
        command.help_template(TEMPLATE).disable_help_flag(true).arg(help).mut_subcommands(led_by_examples)
    }
    led_by_examples(Cli::command())
}

/// The tree with one leaf. To build the whole of it takes longer than all that `exec` does before its command runs.
#[derive(Debug, Parser)]
#[command(name = "exeat", version, subcommand_required = true, disable_help_subcommand = true)]
struct ExecCli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: ExecCommand,
}

#[derive(Debug, Subcommand)]
enum ExecCommand {
    Exec(Box<commands::exec::Args>),
}

/// What was said. Whatever is not plainly an `exec` is looked at by the whole tree, which has the words for it.
fn parsed(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    if arguments.iter().skip(1).take_while(|word| *word != "--").any(|word| word == "exec")
        && let Ok(ExecCli { global, command: ExecCommand::Exec(args) }) = ExecCli::try_parse_from(arguments)
    {
        return Ok(Cli { global, command: Command::Exec(args) });
    }
    Cli::from_arg_matches(&command().try_get_matches_from(arguments)?)
}

/// Runs the process: its arguments, its environment, its streams.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match parsed(&arguments) {
        Ok(cli) => cli,
        Err(error) => return refusal::tell(&error, &arguments).into(),
    };
    cli.global.set_color();
    let output = cli.global.output();
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(failure) if failure.is_closed_pipe() => Exit::Ok.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    let environment = Environment::of_process();
    let Cli { global, command } = cli;
    // These need no configuration, and must work when it is broken.
    let command = match command {
        Command::Completions(args) => return commands::completions::run(&args),
        Command::Man(args) => return commands::man::run(&args, global.output()),
        Command::Version(args) => return commands::version::run(&args, global.output()),
        Command::Demo(args) => {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            return runtime.enable_all().build()?.block_on(commands::demo::run(&args, global.output()));
        }
        other => other,
    };
    let mut flags = global.flags();
    if let Command::Exec(args) = command {
        return exec(*args, flags, &global, &environment);
    }
    if let Command::Serve(args) = &command {
        flags.extend(args.flags());
    }
    let layers = Layers::of_process(flags, &environment, global.config.as_deref());
    if let Command::Doctor(_) = command {
        // It works without a configuration, and when that is broken.
        let config = layers.ok().and_then(|layers| Config::from_layers(&layers).ok());
        return commands::doctor::run(config.as_ref(), &environment, global.output());
    }
    let layers = layers?;
    if let Command::Config(command) = command {
        return commands::config::run(&command, &layers, &environment, global.output());
    }
    let server = matches!(command, Command::Serve(_) | Command::Dev(_) | Command::Worker(_));
    let mut runtime = if server {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    runtime.enable_all().build()?.block_on(dispatch(command, &global, &layers, environment))
}

/// `exec` has a `--timeout` of its own, and reads no file of the working directory: what ran inside before could
/// have written it.
fn exec(
    args: commands::exec::Args,
    mut flags: Flags,
    global: &GlobalArgs,
    environment: &Environment,
) -> Result<Exit, Failure> {
    flags.retain(|(key, _, _)| *key != Key::ClientTimeout);
    let named = global.config.as_deref();
    let layers = Layers::of_user(flags, environment, named)?;
    let around = commands::exec::Around { output: global.output(), layers: &layers, environment, named };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ran = runtime.block_on(commands::exec::run(args, around));
    // Nothing that still waits (a name, a key of the keyboard) keeps the caller, and all that was to be recorded is:
    // what is left is memory, and that ends with the process.
    std::mem::forget(runtime);
    ran
}

async fn dispatch(
    command: Command,
    global: &GlobalArgs,
    layers: &Layers,
    environment: Environment,
) -> Result<Exit, Failure> {
    let output = global.output();
    let config = || Config::from_layers(layers).map_err(Failure::from);
    let command = match command {
        Command::Serve(_) => return Box::pin(commands::serve::run(&config()?, output)).await,
        Command::Dev(args) => {
            let places = Places::from_environment(&environment);
            return Box::pin(commands::dev::run(&args, &config()?, &places, output)).await;
        }
        Command::Keys(command) => {
            return commands::keys::run(command, &config()?, global.workspace.as_deref(), output).await;
        }
        Command::Db(command) => return commands::db::run(command, &config()?, output).await,
        Command::Worker(args) => {
            return Box::pin(commands::worker::run(&args, &config()?, global.workspace.as_deref(), output)).await;
        }
        other => other,
    };
    let app = &App::new(output, ClientConfig::from_layers(layers)?, environment);
    match command {
        Command::Check(command) => commands::check::run(command, app).await,
        Command::Approvals(command) => commands::approvals::run(command, app).await,
        Command::Why(args) => commands::why::run(args, app).await,
        Command::Egress(command) => commands::egress::run(command, app).await,
        Command::Proxy(command) => commands::proxy::run(command, app).await,
        Command::Events(command) => commands::events::run(command, app, config).await,
        Command::Runs(command) => commands::runs::run(command, app).await,
        Command::Status(args) => commands::status::run(args, app).await,
        Command::Mode(command) => commands::mode::run(command, app).await,
        Command::Policy(command) => Box::pin(commands::policy::run(command, app)).await,
        Command::Shadow(command) => commands::shadow::run(command, app).await,
        Command::KillSwitch(command) => commands::kill_switch::run(command, app).await,
        Command::Settings(command) => commands::settings::run(command, app).await,
        Command::Agents(command) => commands::agents::run(command, app).await,
        Command::Principals(command) => commands::principals::run(command, app).await,
        Command::Capabilities(command) => commands::capabilities::run(command, app).await,
        Command::Rooms(command) => commands::rooms::run(command, app).await,
        Command::Labels(command) => commands::labels::run(command, app).await,
        Command::Registry(command) => commands::registry::run(command, app).await,
        Command::ReasonCodes(args) => commands::reason_codes::run(args, app).await,
        // Handled before a client was needed.
        Command::Demo(_)
        | Command::Exec(_)
        | Command::Doctor(_)
        | Command::Serve(_)
        | Command::Dev(_)
        | Command::Keys(_)
        | Command::Db(_)
        | Command::Worker(_)
        | Command::Config(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Version(_) => Ok(Exit::Ok),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::FromArgMatches as _;

    use super::{Cli, ExecCli, command, parsed};

    #[test]
    fn the_tree_is_sound() {
        command().debug_assert();
        <ExecCli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn one_leaf_says_what_the_whole_tree_says() {
        for (line, good) in [
            ("exec true", true),
            ("exec -- true", true),
            ("exec --local --allow a.example --allow b.example:22 -- sh -c -h --help", true),
            ("--json --quiet exec --strict --timeout 3s cmd --version exec", true),
            ("--config exec exec --rung A --env A=1 --env B -- env", true),
            ("exec --publish 80 --expose-host 5432 --rw . --force -- true", true),
            ("exec", false),
            ("exec --help", false),
            ("exec --nothing -- true", true),
            ("exec --publish 0 -- true", false),
            ("exec --proxy http://h:1 --local -- true", false),
            ("exec --rung A --min-rung B -- true", false),
            ("config exec", false),
            ("--version exec", false),
            ("why exec", true),
        ] {
            let words: Vec<OsString> = ["exeat"].into_iter().chain(line.split(' ')).map(OsString::from).collect();
            let told = |parsed: Result<Cli, clap::Error>| match parsed {
                Ok(cli) => format!("{cli:?}"),
                Err(error) => format!("{:?}: {error}", error.kind()),
            };
            let whole = command().try_get_matches_from(&words).and_then(|matches| Cli::from_arg_matches(&matches));
            assert_eq!(whole.is_ok(), good, "{line}");
            assert_eq!(told(parsed(&words)), told(whole), "{line}");
        }
    }
}
