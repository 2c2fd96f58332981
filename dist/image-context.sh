#!/bin/sh
# Makes the folder that the Dockerfile builds from, on Debian or Ubuntu:
#
#     dist/image-context.sh FOLDER [BINARY]
#
# The userland is what this system's packages installed: procps, because Jenkins calls `ps -A -o pid,command e` in the container and
# busybox's ps cannot do that; the shell and what starts other programs, because busybox would start its own ps instead; and one
# static busybox for everything else.
#     apt-get install busybox-static coreutils dash procps util-linux ca-certificates
set -eu

here=$(cd "$(dirname "$0")" && pwd)
context=${1:?usage: dist/image-context.sh FOLDER [BINARY]}
case $(uname -m) in
    x86_64) binary=${2:-$here/bin/nunu-ci-linux-x64} ;;
    aarch64) binary=${2:-$here/bin/nunu-ci-linux-arm64} ;;
    *) binary=${2:?on this machine the binary must be named} ;;
esac
busybox=$(command -v busybox) || { echo "error: busybox-static is not installed" >&2; exit 2; }
if ldd "$busybox" >/dev/null 2>&1; then
    echo "error: $busybox is not static; install busybox-static" >&2
    exit 2
fi

rm -rf "$context"
root=$context/rootfs
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$root/usr/local/bin" "$root/etc" \
    "$root/tmp" "$root/var" "$root/proc" "$root/sys" "$root/dev" "$root/root" "$root/home"
chmod 1777 "$root/tmp"
ln -s ../tmp "$root/var/tmp"
for folder in bin sbin lib lib64; do
    ln -s "usr/$folder" "$root/$folder"
done

cp "$busybox" "$root/usr/bin/busybox"
for applet in $("$busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/usr/bin/$applet"
done
for program in dash ps kill cat env nohup nice timeout setsid; do
    # Names in PATH, not the builtins of this shell.
    path=$(PATH=/usr/bin:/bin which "$program") || { echo "error: $program is not installed" >&2; exit 2; }
    path=$(readlink -f "$path")
    [ "${path##*/}" = "$program" ] || { echo "error: $program is $path, not the program of its own package" >&2; exit 2; }
    rm -f "$root/usr/bin/$program"
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
ln -sf dash "$root/usr/bin/sh"

printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"

# What both images hold: CA roots, and a folder for temporary files that any user may write.
mkdir -p "$context/common/etc/ssl/certs" "$context/common/tmp"
chmod 1777 "$context/common/tmp"
cp -L /etc/ssl/certs/ca-certificates.crt "$context/common/etc/ssl/certs/ca-certificates.crt"
cp "$binary" "$context/nunu-ci"
chmod 755 "$context/nunu-ci"
