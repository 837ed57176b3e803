#!/usr/bin/env bash
# Installs tally and its units: systemd/install.sh BINARY [--destdir DIR] [--prefix DIR]
#
# Files only: it starts, enables and reloads nothing, and makes no user. What to do next is its last line.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
destdir= prefix=/usr binary=
while (($#)); do
    case $1 in
        --destdir) destdir=${2:?--destdir needs a directory}; shift 2 ;;
        --prefix) prefix=${2:?--prefix needs a directory}; shift 2 ;;
        -*) echo "install.sh: unknown option $1" >&2; exit 2 ;;
        *) binary=$1; shift ;;
    esac
done
[[ -f $binary ]] || { echo "install.sh: name the binary to install" >&2; exit 2; }

# The binary last moves into place whole: a running one is not written over.
install -D -m 755 "$binary" "$destdir$prefix/bin/.tally.new"
mv "$destdir$prefix/bin/.tally.new" "$destdir$prefix/bin/tally"
for unit in tally.service tally.socket user/tally.service user/tally.socket; do
    case $unit in
        user/*) target=$destdir/usr/lib/systemd/$unit ;;
        *) target=$destdir/usr/lib/systemd/system/$unit ;;
    esac
    install -D -m 644 "$here/$unit" "$target"
    sed -i "s|/usr/bin/tally|$prefix/bin/tally|" "$target"
done
install -D -m 644 "$here/sysusers.d/tally.conf" "$destdir/usr/lib/sysusers.d/tally.conf"
install -D -m 644 "$here/tmpfiles.d/tally.conf" "$destdir/usr/lib/tmpfiles.d/tally.conf"
for page in operations configuration security; do
    install -D -m 644 "$here/../docs/$page.md" "$destdir$prefix/share/doc/tally/$page.md"
done
for unit in "$destdir"/usr/lib/systemd/{system,user}/tally.{service,socket}; do
    sed -i "s|file:///usr/share/doc|file://$prefix/share/doc|" "$unit"
done
install -D -m 644 "$here/../config.toml" "$destdir$prefix/share/doc/tally/config.toml"
echo "next: systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload && systemctl enable --now tally.socket tally.service"
