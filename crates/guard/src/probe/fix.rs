//! What whoever runs the machine can do about a layer that is missing: commands to be typed as they stand.

use std::path::Path;

use super::machine::Machine;
use crate::Layer;

/// What would bring this layer, as far as it can be known.
pub(super) fn of(layer: Layer, reason: &str, machine: &Machine) -> Option<String> {
    let text = match layer {
        Layer::UserNamespace => user_namespace(machine),
        // Under AppArmor's restriction the namespace is there, but nothing may be done in it.
        Layer::NetworkNamespace | Layer::AnyAddress | Layer::OtherNamespaces if restricted(machine) => {
            apparmor(&machine.program)
        }
        Layer::NfTables => module("CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET", "nf_tables"),
        Layer::TransparentProxy => module("CONFIG_NFT_TPROXY", "nft_tproxy"),
        Layer::PacketLog => module("CONFIG_NFT_LOG, CONFIG_NETFILTER_NETLINK_LOG", "nft_log && modprobe nfnetlink_log"),
        Layer::MountView if restricted(machine) => apparmor(&machine.program),
        Layer::MountView if reason.contains("id-mapped") => {
            "run as an ordinary user, or keep the writable folders on a file system that can be id-mapped \
             (ext4, xfs, btrfs, tmpfs on Linux 6.3)"
                .to_owned()
        }
        Layer::MountView if reason.contains("not permitted") => container_seccomp(machine)?,
        Layer::MountView => return None,
        Layer::PidNamespace => masked_proc(machine),
        Layer::Landlock => landlock(machine),
        Layer::Seccomp | Layer::Notify | Layer::SocketInjection => {
            "use Linux 5.14 or newer, with CONFIG_SECCOMP_FILTER=y, outside of gVisor".to_owned()
        }
        Layer::NetworkNamespace | Layer::AnyAddress | Layer::OtherNamespaces => {
            "use a kernel with CONFIG_NET_NS=y, CONFIG_IPC_NS=y, CONFIG_UTS_NS=y and CONFIG_CGROUPS=y".to_owned()
        }
        Layer::Spawner | Layer::Capabilities | Layer::Descriptors | Layer::Limits | Layer::TreeDeath => return None,
    };
    Some(text)
}

fn restricted(machine: &Machine) -> bool {
    machine.apparmor_restricts.is_some_and(|value| value != 0)
}

fn user_namespace(machine: &Machine) -> String {
    if machine.user_namespaces_max == Some(0) {
        "sysctl -w user.max_user_namespaces=65536".to_owned()
    } else if machine.unprivileged_clone == Some(0) {
        "sysctl -w kernel.unprivileged_userns_clone=1".to_owned()
    } else if restricted(machine) {
        apparmor(&machine.program)
    } else if machine.container {
        "docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined … \
         (Kubernetes: hostUsers: false, procMount: Unmasked, seccompProfile: Unconfined)"
            .to_owned()
    } else {
        "use a kernel with CONFIG_USER_NS=y, and let this program make user namespaces".to_owned()
    }
}

/// A profile for this very program: it, and nothing else, may make user namespaces.
fn apparmor(program: &Path) -> String {
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let program = program.display();
    format!(
        "write this to /etc/apparmor.d/{name}, then: apparmor_parser -r /etc/apparmor.d/{name}\n\
         abi <abi/4.0>,\n\
         include <tunables/global>\n\
         profile {name} {program} flags=(unconfined) {{\n  userns,\n  include if exists <local/{name}>\n}}"
    )
}

fn module(options: &str, module: &str) -> String {
    format!("modprobe {module} (once, on the host; a kernel with {options})")
}

fn masked_proc(machine: &Machine) -> String {
    if machine.container {
        "docker run --security-opt systempaths=unconfined … (Kubernetes: procMount: Unmasked)".to_owned()
    } else {
        "unmount what lies over parts of /proc (findmnt -R /proc): a masked /proc cannot be mounted anew".to_owned()
    }
}

fn container_seccomp(machine: &Machine) -> Option<String> {
    machine
        .container
        .then(|| "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined …".to_owned())
}

fn landlock(machine: &Machine) -> String {
    match &machine.modules {
        Some(modules) if !modules.split(',').any(|module| module == "landlock") => {
            format!("boot with lsm=landlock,{modules} (kernel command line)")
        }
        _ => "use Linux 6.12 or newer with CONFIG_SECURITY_LANDLOCK=y and landlock in lsm=".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_is_for_what_is_in_the_way() {
        let program = Path::new("/opt/exeat/bin/exeat").to_owned();
        let plain = Machine { program, user_namespaces_max: Some(9), ..Machine::default() };
        let none = Machine { user_namespaces_max: Some(0), ..plain.clone() };
        let debian = Machine { unprivileged_clone: Some(0), ..plain.clone() };
        let ubuntu = Machine { apparmor_restricts: Some(1), unprivileged_clone: Some(1), ..plain.clone() };
        let container = Machine { container: true, ..plain.clone() };
        let without = Machine { modules: Some("capability,yama".into()), ..plain.clone() };
        let profile = "profile exeat /opt/exeat/bin/exeat flags=(unconfined) {\n  userns,";
        for (layer, reason, machine, want) in [
            (Layer::UserNamespace, "", &none, "user.max_user_namespaces=65536"),
            (Layer::UserNamespace, "", &debian, "kernel.unprivileged_userns_clone=1"),
            (Layer::UserNamespace, "", &ubuntu, profile),
            (Layer::NetworkNamespace, "", &ubuntu, profile),
            (Layer::MountView, "", &ubuntu, profile),
            (Layer::UserNamespace, "", &container, "seccomp=unconfined"),
            (Layer::UserNamespace, "", &plain, "CONFIG_USER_NS"),
            (Layer::NfTables, "", &plain, "modprobe nf_tables"),
            (Layer::TransparentProxy, "", &plain, "modprobe nft_tproxy"),
            (Layer::PacketLog, "", &plain, "modprobe nfnetlink_log"),
            (Layer::MountView, "Operation not permitted", &container, "seccomp=unconfined"),
            (Layer::PidNamespace, "", &container, "systempaths=unconfined"),
            (Layer::PidNamespace, "", &plain, "findmnt"),
            (Layer::Landlock, "", &without, "lsm=landlock,capability,yama"),
            (Layer::Landlock, "", &plain, "CONFIG_SECURITY_LANDLOCK"),
            (Layer::MountView, "an id-mapped mount: EINVAL", &plain, "ordinary user"),
        ] {
            let fix = of(layer, reason, machine).unwrap_or_default();
            assert!(fix.contains(want), "{layer:?} {machine:?}: {fix}");
        }
        assert_eq!(of(Layer::TreeDeath, "", &plain), None);
    }
}
