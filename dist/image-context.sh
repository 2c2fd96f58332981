#!/bin/sh
# Makes the folder that the Dockerfile builds from, on Debian or Ubuntu:
#
#     dist/image-context.sh FOLDER [BINARY]
#
# The userland is what this system's packages installed, program by program: a shell, ps as Jenkins calls it in the container
# (`ps -A -o pid,command e`), and what scripts of CI jobs use. Nothing in it speaks to a network, and nothing is an interpreter but the
# shell, sed and awk: a script that got into the job finds no tool to carry the key away.
#     apt-get install ca-certificates coreutils dash diffutils findutils grep gzip hostname mawk procps sed tar util-linux
set -eu

here=$(cd "$(dirname "$0")" && pwd)
context=${1:?usage: dist/image-context.sh FOLDER [BINARY]}
case $(uname -m) in
    x86_64) binary=${2:-$here/bin/nunu-ci-linux-x64} ;;
    aarch64) binary=${2:-$here/bin/nunu-ci-linux-arm64} ;;
    *) binary=${2:?on this machine the binary must be named} ;;
esac
programs='dash ps kill setsid sed grep mawk find xargs diff cmp tar gzip
    base64 basename cat chgrp chmod chown cp cut date dd df dirname du echo env expr false head hostname id ln ls md5sum mkdir mktemp mv nice
    nohup nproc od paste printenv printf pwd readlink realpath rm rmdir seq sha1sum sha256sum sha512sum sleep sort split stat stty sync
    tac tail tee test timeout touch tr true truncate tty uname uniq wc whoami'

rm -rf "$context"
root=$context/rootfs
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$root/usr/local/bin" "$root/etc" \
    "$root/tmp" "$root/var" "$root/proc" "$root/sys" "$root/dev" "$root/root" "$root/home"
chmod 1777 "$root/tmp"
ln -s ../tmp "$root/var/tmp"
for folder in bin sbin lib lib64; do
    ln -s "usr/$folder" "$root/$folder"
done

for program in $programs; do
    # Names in PATH, not the builtins of this shell.
    path=$(PATH=/usr/bin:/bin which "$program") || { echo "error: $program is not installed" >&2; exit 2; }
    path=$(readlink -f "$path")
    [ "${path##*/}" = "$program" ] || { echo "error: $program is $path, not the program of its own package" >&2; exit 2; }
    cp "$path" "$root/usr/bin/$program"
    # Lines of ldd: `name => /path (address)`, or `/path (address)` for the loader itself.
    for library in $(ldd "$path" | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) .*/\1/p'); do
        case $library in
            /usr/*) target=$root$library ;;
            *) target=$root/usr$library ;;
        esac
        mkdir -p "${target%/*}"
        cp -L "$library" "$target"
    done
done
ln -s mawk "$root/usr/bin/awk"
ln -s dash "$root/usr/bin/sh"

printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
# What the userland comes from, for people and for scanners.
cp -L /etc/os-release "$root/usr/lib/os-release"
ln -s ../usr/lib/os-release "$root/etc/os-release"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"

# What both images hold: CA roots, and a folder for temporary files that any user may write.
mkdir -p "$context/common/etc/ssl/certs" "$context/common/tmp"
chmod 1777 "$context/common/tmp"
cp -L /etc/ssl/certs/ca-certificates.crt "$context/common/etc/ssl/certs/ca-certificates.crt"
cp "$binary" "$context/nunu-ci"
chmod 755 "$context/nunu-ci"
