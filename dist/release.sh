#!/bin/sh
# What the release workflow does, step by step; each step also runs in a scratch repository without a network:
#
#     dist/release.sh check VERSION            # may this commit become the release? Names every reason against it
#     dist/release.sh compare FOLDER           # binaries that were built anew, byte by byte with those in dist/bin
#     dist/release.sh tag VERSION              # tag, moving tag of the major version, and branch of the major version, locally
#     dist/release.sh push VERSION             # hands them to `origin`
#     dist/release.sh draft VERSION [FILE...]  # a draft release with binaries, sums and FILEs
#     dist/release.sh publish VERSION          # makes the draft public
#     dist/release.sh rehearse VERSION         # all of it in a clone of this commit, with an `origin` and a `gh` that only tell
set -eu

cd "$(dirname "$0")/.."
command=${1:-} version=${2:-}
major=${version%%.*}
all='nunu-ci-linux-arm64 nunu-ci-linux-x64 nunu-ci-macos-arm64 nunu-ci-macos-x64 nunu-ci-windows-x64.exe'
problems=0

problem() {
    echo "error: $1" >&2
    problems=$((problems + 1))
}

sha256() {
    if command -v sha256sum >/dev/null 2>&1; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d' ' -f1
}

versions_agree() {
    named=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    [ "$named" = "$version" ] || problem "Cargo.toml has the version $named, the release is to be $version"
    locked=$(sed -n '/^name = "nunu-ci"$/{n;s/^version = "\(.*\)"/\1/p;}' Cargo.lock)
    [ "$locked" = "$version" ] || problem "Cargo.lock has nunu-ci $locked, the release is to be $version"
    grep -qF "## [$version]" CHANGELOG.md || problem "CHANGELOG.md has no section [$version]"
    for file in README.md docs/*.md docs/cookbook/*.md SECURITY.md Dockerfile templates/nunu-run.yml examples/Jenkinsfile examples/gitlab-ci.yml; do
        others=$(grep -oE '(nunu-(ci:|run@)|releases/download/v)[0-9]+\.[0-9]+\.[0-9]+' "$file" | grep -oE '[0-9.]+$' | sort -u)
        for other in $others; do
            [ "$other" = "$version" ] || problem "$file names the version $other, the release is to be $version"
        done
        others=$(grep -oE 'OWNER/nunu-ci@v[0-9]+' "$file" | grep -oE '[0-9]+$' | sort -u)
        for other in $others; do
            [ "$other" = "$major" ] || problem "$file uses the major version $other, the release is to be $version"
        done
    done
}

# Every binary is there, is the one that SHA256SUMS lists, and carries the digest of the sources of this commit.
binaries_belong() {
    sources=$(sh dist/source-digest.sh HEAD)
    for name in $all; do
        binary=dist/bin/$name
        [ -f "$binary" ] || { problem "$binary is missing"; continue; }
        grep -qxF "$(sha256 "$binary")  bin/$name" dist/SHA256SUMS || problem "$binary is not the one that dist/SHA256SUMS lists"
        grep -aqF "$sources" "$binary" || problem "$binary was not built from the sources of this commit: dist/build.sh builds it"
    done
    for binary in dist/bin/*; do
        case " $all " in *" ${binary##*/} "*) ;; *) problem "$binary is no binary of a release" ;; esac
    done
    [ "$(wc -l <dist/SHA256SUMS)" -eq "$(echo "$all" | wc -w)" ] || problem "dist/SHA256SUMS lists another number of binaries"
}

check() {
    branch=$(git rev-parse --abbrev-ref HEAD)
    [ "$branch" = main ] || problem "a release is made from main, this is $branch"
    [ -z "$(git status --porcelain)" ] || problem "the working tree has changes: $(git status --porcelain | head -n 3 | tr '\n' ' ')"
    if git rev-parse -q --verify "refs/tags/v$version" >/dev/null; then problem "the tag v$version is there already"; fi
    versions_agree
    binaries_belong
}

compare() {
    for name in $all; do
        if [ ! -f "$1/$name" ]; then
            problem "$name was not built anew"
        elif ! cmp -s "$1/$name" "dist/bin/$name"; then
            problem "$name built anew is another file than dist/bin/$name ($(sha256 "$1/$name") is not $(sha256 "dist/bin/$name"))"
        fi
    done
}

# The tagged commit is on a branch, too: lock files of workflows accept only commits that a branch reaches.
tag() {
    git tag "v$version"
    git tag -f "v$major" >/dev/null
    git branch -f "release/v$major" HEAD
    echo "tagged $(git rev-parse --short HEAD): v$version, v$major, release/v$major"
}

# The branch only ever moves forward; of the tags, v$major alone moves.
push() {
    git push origin "refs/tags/v$version" "refs/heads/release/v$major"
    git push --force origin "refs/tags/v$major"
}

draft() {
    git show -s --format=%H "v$version" >/dev/null
    gh release create "v$version" --draft --verify-tag --title "nunu-ci $version" --generate-notes dist/bin/* dist/SHA256SUMS "$@"
}

rehearse() {
    check
    [ "$problems" -eq 0 ] || return 0
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    git clone -q --bare --no-local . "$scratch/origin.git"
    git clone -q --no-local --branch main "$scratch/origin.git" "$scratch/clone"
    mkdir "$scratch/bin"
    printf '#!/bin/sh\necho "gh $*"\n' >"$scratch/bin/gh"
    chmod 755 "$scratch/bin/gh"
    for step in tag push draft publish; do
        echo "== $step"
        PATH=$scratch/bin:$PATH sh "$scratch/clone/dist/release.sh" "$step" "$version"
    done
    git -C "$scratch/origin.git" for-each-ref --format='%(objectname:short) %(refname)' "refs/tags/v$version" "refs/tags/v$major" \
        "refs/heads/release/v$major"
    cat dist/SHA256SUMS
}

case $command in
    compare) compare "${2:?a folder with binaries}" ;;
    check | tag | push | draft | publish | rehearse)
        case $version in
            *[!0-9.]* | '' | .* | *.) echo "error: \"$version\" is no version such as 0.2.0" >&2; exit 2 ;;
        esac
        case $command in
            draft) shift 2; draft "$@" ;;
            publish) gh release edit "v$version" --draft=false ;;
            *) "$command" ;;
        esac
        ;;
    *) sed -n '4,10p' "$0" >&2; exit 2 ;;
esac
[ "$problems" -eq 0 ] || { echo "$problems reasons against a release" >&2; exit 1; }
