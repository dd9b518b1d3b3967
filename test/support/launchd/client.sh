#!/bin/bash
# Plays launchctl, plutil, codesign or xattr: hands its arguments, a NUL behind each, to the simulated launchd on that port of this machine,
# and does as that says: an exit code, how many lines follow for stderr, those, and what is for stdout. No node: it is called often.
port=$1
shift
exec 3<> "/dev/tcp/127.0.0.1/$port"
printf '%s\0' "$#" "$@" >&3
IFS= read -r code <&3
IFS= read -r lines <&3
while ((lines-- > 0)); do
  IFS= read -r line <&3
  printf '%s\n' "$line" >&2
done
while IFS= read -r line <&3; do
  printf '%s\n' "$line"
done
exit "$code"
