#!/bin/sh
# Installs tally from this directory: as root for everybody, else for you alone.
#
#   ./install.sh [--prefix DIR]     root: DIR/bin (default /usr/local), and the units of the service
#                                   others: DIR/bin (default ~/.local), and the unit of your own service
#   ./install.sh --uninstall        the same in reverse; settings and jobs stay
#
# Files only: it starts and enables nothing, and its last line says what to do next.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix='' uninstall=''
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) prefix=${2:?--prefix needs a directory}; shift 2 ;;
        --uninstall) uninstall=yes; shift ;;
        *) echo "install.sh: unknown option $1" >&2; exit 2 ;;
    esac
done

if [ "$(id -u)" = 0 ]; then
    : "${prefix:=/usr/local}"
    if [ -n "$uninstall" ]; then
        rm -rf "$prefix/bin/tally" "$prefix/share/doc/tally" "$prefix"/share/man/man?/tally*.? \
            "$prefix/share/bash-completion/completions/tally" "$prefix/share/zsh/site-functions/_tally" \
            "$prefix/share/fish/vendor_completions.d/tally.fish" /usr/lib/systemd/system/tally.service \
            /usr/lib/systemd/system/tally.socket /usr/lib/systemd/user/tally.service /usr/lib/systemd/user/tally.socket \
            /usr/lib/sysusers.d/tally.conf /usr/lib/tmpfiles.d/tally.conf
        echo "next: systemctl daemon-reload; settings are in /etc/tally, jobs in /var/lib/tally"
        exit 0
    fi
    set -- --prefix "$prefix"
    [ ! -d "$here/man" ] || set -- "$@" --man "$here/man"
    exec "$here/systemd/install.sh" "$here/tally" "$@"
fi

: "${prefix:=$HOME/.local}"
units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
if [ -n "$uninstall" ]; then
    rm -f "$prefix/bin/tally" "$prefix"/share/man/man?/tally*.? "$units/tally.service" "$units/tally.socket"
    echo "next: systemctl --user daemon-reload; jobs are in ${XDG_STATE_HOME:-$HOME/.local/state}/tally"
    exit 0
fi
mkdir -p "$prefix/bin" "$units"
# It moves into its place whole: a running one is not written over.
cp "$here/tally" "$prefix/bin/.tally.new"
mv "$prefix/bin/.tally.new" "$prefix/bin/tally"
for unit in tally.service tally.socket; do
    sed "s|/usr/bin/tally|$prefix/bin/tally|" "$here/systemd/user/$unit" > "$units/$unit"
done
[ ! -d "$here/man" ] || for page in "$here"/man/tally*.?; do
    mkdir -p "$prefix/share/man/man${page##*.}"
    cp "$page" "$prefix/share/man/man${page##*.}/"
done
"$prefix/bin/tally" --version
case :$PATH: in
    *":$prefix/bin:"*) ;;
    *) echo "note: $prefix/bin is not in your PATH" ;;
esac
echo "next: tally sum 1..=100; for a service of your own: systemctl --user enable --now tally.socket"
