#!/usr/bin/env bash
# Installs tally and its units: systemd/install.sh BINARY [--destdir DIR] [--prefix DIR] [--man DIR]
#
# With --man DIR the manual pages that `cargo xtask man` has written there. Completions come from the binary itself.
#
# Files only: it starts, enables and reloads nothing, and makes no user. What to do next is its last line.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
destdir= prefix=/usr binary= man=
while (($#)); do
    case $1 in
        --destdir) destdir=${2:?--destdir needs a directory}; shift 2 ;;
        --prefix) prefix=${2:?--prefix needs a directory}; shift 2 ;;
        --man) man=${2:?--man needs a directory}; shift 2 ;;
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
for page in ${man:+"$man"/tally*.[1578]}; do
    install -D -m 644 "$page" "$destdir$prefix/share/man/man${page##*.}/${page##*/}"
done
for completion in bash:bash-completion/completions/tally zsh:zsh/site-functions/_tally fish:fish/vendor_completions.d/tally.fish; do
    target=$destdir$prefix/share/${completion#*:}
    install -D -m 644 /dev/null "$target"
    "$binary" completion "${completion%%:*}" > "$target"
done
install -D -m 644 "$here/../config.toml" "$destdir$prefix/share/doc/tally/config.toml"
# Not in force: who wants it puts it beside the unit.
install -D -m 644 "$here/commands.conf" "$destdir$prefix/share/doc/tally/examples/commands.conf"
echo "next: systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload && systemctl enable --now tally.socket tally.service"
