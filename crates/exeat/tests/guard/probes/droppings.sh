#!/bin/sh
# What would be run later, by somebody else: cron, profiles, units, the handler of core dumps.
left=
drop() {
    if [ -d "${1%/*}" ] && (echo '# exeat-probe-dropping' >"$1") 2>/dev/null; then left="$left $1"; fi
}
for word in "$@"; do
    case $word in HOST_HOME=*) host_home=${word#*=} ;; esac
done
drop /etc/cron.d/exeat-probe-dropping
drop /var/spool/cron/crontabs/exeat-probe-dropping
drop /etc/profile.d/exeat-probe-dropping.sh
drop /etc/systemd/system/exeat-probe-dropping.service
drop "$host_home/.profile"
drop "$host_home/.config/exeat-probe-dropping.desktop"
pattern=$(cat /proc/sys/kernel/core_pattern 2>/dev/null)
# The same value again: this changes nothing, but shows that it could have.
if [ -n "$pattern" ] && (echo "$pattern" >/proc/sys/kernel/core_pattern) 2>/dev/null; then left="$left core_pattern"; fi
if [ -n "$left" ]; then
    echo "leaked$left"
    exit 10
fi
echo "blocked nothing was left"
