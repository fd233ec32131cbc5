#!/bin/sh
# Whatever was put in front of programs by the environment is gone with it; a static program has nothing in front of it.
for word in "$@"; do
    case $word in PROBES=*) probes=${word#*=} ;; esac
done
unset LD_PRELOAD HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy
exec env -i "$probes/tcp_v4-static"
