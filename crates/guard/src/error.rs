//! Why a call could not be started.

use std::io;

use serde::{Deserialize, Serialize};

/// What the guard is made of. Each is proven live on its own, and named when it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// The process that starts calls.
    Spawner,
    /// A user namespace, and the ids in it.
    UserNamespace,
    /// A network namespace with a loopback of its own.
    NetworkNamespace,
    /// Routes that bring every address home.
    AnyAddress,
    /// nf_tables in the namespace.
    NfTables,
    /// Transparent capture of TCP by nf_tables.
    TransparentProxy,
    /// The kernel's log of packets that were dropped.
    PacketLog,
    /// A mount namespace with a view of its own.
    MountView,
    /// A process namespace, and its `/proc`.
    PidNamespace,
    /// The other namespaces: IPC, host name, cgroups.
    OtherNamespaces,
    /// Capabilities given up, and no new privileges.
    Capabilities,
    /// The rules on files, signals and abstract sockets.
    Landlock,
    /// The filter on system calls.
    Seccomp,
    /// The supervisor's answers to the calls that the filter asks about.
    Notify,
    /// Sockets that the supervisor makes and hands in (rung B).
    SocketInjection,
    /// Only the files that were given are open.
    Descriptors,
    /// Limits on memory, processes and files.
    Limits,
    /// The whole tree dies with the call.
    TreeDeath,
}

impl Layer {
    /// Every layer.
    pub const ALL: [Self; 18] = [
        Self::Spawner,
        Self::UserNamespace,
        Self::NetworkNamespace,
        Self::AnyAddress,
        Self::NfTables,
        Self::TransparentProxy,
        Self::PacketLog,
        Self::MountView,
        Self::PidNamespace,
        Self::OtherNamespaces,
        Self::Capabilities,
        Self::Landlock,
        Self::Seccomp,
        Self::Notify,
        Self::SocketInjection,
        Self::Descriptors,
        Self::Limits,
        Self::TreeDeath,
    ];

    /// Its name, as in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spawner => "spawner",
            Self::UserNamespace => "user_namespace",
            Self::NetworkNamespace => "network_namespace",
            Self::AnyAddress => "any_address",
            Self::NfTables => "nf_tables",
            Self::TransparentProxy => "transparent_proxy",
            Self::PacketLog => "packet_log",
            Self::MountView => "mount_view",
            Self::PidNamespace => "pid_namespace",
            Self::OtherNamespaces => "other_namespaces",
            Self::Capabilities => "capabilities",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::Notify => "notify",
            Self::SocketInjection => "socket_injection",
            Self::Descriptors => "descriptors",
            Self::Limits => "limits",
            Self::TreeDeath => "tree_death",
        }
    }
}

/// Why a call could not be started. Nothing of it runs.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A layer could not be put in place.
    #[error("{}: {what}: {error}", layer.as_str())]
    Layer {
        /// Which.
        layer: Layer,
        /// What was being done.
        what: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// The plan asks for something that cannot be: a folder that is not there, a socket as stdin.
    #[error("{0}")]
    Plan(String),
    /// The command could not be executed: 126 (cannot) or 127 (not found), as in a shell.
    #[error("{command}: {error}")]
    Command {
        /// The first word.
        command: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// The spawner or the keeper is gone.
    #[error("the process that starts calls is gone")]
    Gone,
}

impl LaunchError {
    /// What to make of a kernel's error in a layer: `map_err(LaunchError::of(layer, "what was being done"))`.
    pub(crate) fn of<'a>(layer: Layer, what: &'a str) -> impl FnOnce(io::Error) -> Self + 'a {
        move |error| Self::Layer { layer, what: what.to_owned(), error }
    }

    /// There is no filter.
    pub(crate) fn filter(error: crate::filter::FilterError) -> Self {
        Self::Layer { layer: Layer::Seccomp, what: error.to_string(), error: io::ErrorKind::Unsupported.into() }
    }

    /// The spawner could not be started or asked.
    pub(crate) fn spawner(error: io::Error) -> Self {
        Self::Layer { layer: Layer::Spawner, what: "start".to_owned(), error }
    }
}
