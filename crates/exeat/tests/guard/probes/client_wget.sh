#!/bin/sh
# The same of another client.
said=$(wget --quiet --no-proxy --timeout=3 --tries=1 --output-document=- http://45.79.0.1/upload 2>/dev/null)
code=$?
case $said in *heard*) echo "leaked answered"; exit 10 ;; esac
echo "blocked wget says $code"
