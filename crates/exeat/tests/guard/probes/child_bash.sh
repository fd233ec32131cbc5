#!/bin/bash
# A child of bash, which speaks TCP by itself.
verdict=$( (
    exec 3<>/dev/tcp/45.79.0.1/443 && echo probe >&3 && read -r -t 2 line <&3 && [[ $line == *heard* ]] &&
        echo leaked answered
) 2>/dev/null)
echo "${verdict:-blocked no answer}"
[[ $verdict == leaked* ]] && exit 10
exit 0
