#!/bin/sh
# A client that is told to ignore every proxy.
said=$(curl --silent --noproxy '*' --max-time 3 http://45.79.0.1/upload --data exeat-probe 2>/dev/null)
code=$?
case $said in *heard*) echo "leaked answered"; exit 10 ;; esac
echo "blocked curl says $code"
