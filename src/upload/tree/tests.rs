use std::path::Path;

use super::{KeepOut, Links, Tree, walk};
use crate::model::{Env, Workspace};
#[cfg(unix)]
use crate::{
    model::ExitReason,
    upload::{error::UploadError, tree::EntryKind},
};

#[cfg(unix)]
fn names(root: &Path, links: Links) -> Result<Vec<String>, UploadError> {
    Ok(walk(root, links, String::new(), &KeepOut::default())?
        .entries
        .into_iter()
        .map(|entry| entry.name)
        .collect())
}

fn lay(root: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

#[test]
fn leaves_out_what_the_ignore_files_say() {
    let dir = tempfile::tempdir().unwrap();
    lay(
        dir.path(),
        &[
            (".nunuignore", "*.pdb\n/Logs/\nDebug_BackUp*/\n"),
            ("Game.exe", "x"),
            ("Game.pdb", "x"),
            ("Logs/today.txt", "x"),
            ("Data/Logs/kept.txt", "x"),
            ("Data/.nunuignore", "!keep.pdb\n/secret\n"),
            ("Data/keep.pdb", "x"),
            ("Data/drop.pdb", "x"),
            ("Data/secret", "x"),
            ("Data/sub/secret", "x"),
            ("Debug_BackUpThisFolder/a", "x"),
        ],
    );
    std::fs::create_dir_all(dir.path().join("Empty/Inside")).unwrap();
    let tree = walk(dir.path(), Links::Follow, String::new(), &KeepOut::default()).unwrap();
    let names: Vec<&str> = tree.entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(
        names,
        ["Data/Logs/kept.txt", "Data/keep.pdb", "Data/sub/secret", "Empty/Inside/", "Game.exe"]
    );
    assert_eq!(tree.notes(), [".nunuignore leaves out 5 files and folders"]);
    assert_eq!((tree.files(), tree.bytes()), (4, 4));
}

#[cfg(unix)]
#[test]
fn refuses_what_a_zip_cannot_hold() {
    #[cfg(not(target_vendor = "apple"))]
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;
    type Lay = fn(&Path);
    // Where macOS says /etc, it means /private/etc.
    let cases: &[(Lay, Links, &str)] = &[
        (|root| symlink("..", root.join("sub/up")).unwrap(), Links::Follow, "contains it"),
        (|root| symlink("missing", root.join("dangling")).unwrap(), Links::Follow, "does not exist"),
        (|root| symlink("/etc/passwd", root.join("out")).unwrap(), Links::Keep, "/etc/passwd"),
        (|root| symlink("../../x", root.join("sub/out")).unwrap(), Links::Keep, "out of the folder"),
        (|root| symlink("/etc/passwd", root.join("out")).unwrap(), Links::Follow, "/etc/passwd"),
        (|root| symlink("/etc", root.join("out")).unwrap(), Links::Follow, "/etc"),
        (|root| symlink("/dev/zero", root.join(".nunuignore")).unwrap(), Links::Follow, "no regular file"),
        // There no such file can be made.
        #[cfg(not(target_vendor = "apple"))]
        (
            |root| std::fs::write(root.join(std::ffi::OsStr::from_bytes(b"caf\xe9")), b"x").unwrap(),
            Links::Keep,
            "not valid UTF-8",
        ),
        (|root| std::fs::write(root.join("a\\b"), b"x").unwrap(), Links::Follow, "backslash"),
        (
            |root| {
                let made = std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap();
                assert!(made.success());
            },
            Links::Follow,
            "neither a file nor a folder",
        ),
        (|root| std::fs::write(root.join(".nunuignore"), b"\xff").unwrap(), Links::Follow, "not valid UTF-8"),
    ];
    for (change, links, words) in cases {
        let dir = tempfile::tempdir().unwrap();
        lay(dir.path(), &[("sub/file", "x")]);
        change(dir.path());
        let error = names(dir.path(), *links).unwrap_err();
        assert_eq!(error.reason(), ExitReason::BuildUnsupported);
        assert!(error.to_string().contains(words), "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    lay(dir.path(), &[("file", "x")]);
    symlink("file", dir.path().join("link")).unwrap();
    symlink("missing", dir.path().join("dangling")).unwrap();
    assert_eq!(names(dir.path(), Links::Keep).unwrap(), ["dangling", "file", "link"]);
}

fn whole(root: &Path, links: Links, keep_out: &KeepOut) -> Tree {
    walk(root, links, String::new(), keep_out).unwrap()
}

fn named(tree: &Tree) -> Vec<&str> {
    tree.entries.iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn neither_history_nor_our_own_folders_travel() {
    let dir = tempfile::tempdir().unwrap();
    lay(
        dir.path(),
        &[
            ("game", "x"),
            (".git/config", "token"),
            ("module/.git", "gitdir: elsewhere"),
            ("module/code", "x"),
            ("out/nunu-results/results.json", "{}"),
            (".nunu-state/state.json", "{}"),
        ],
    );
    let ours = ["out/nunu-results", ".nunu-state"].map(|folder| dir.path().join(folder));
    let keep_out = KeepOut::new(ours, &Workspace::find(&Env::default(), dir.path()));
    assert_eq!(named(&whole(dir.path(), Links::Follow, &keep_out)), ["game", "module/code"]);
    let inside = dir.path().join("out/nunu-results");
    let error = walk(&inside, Links::Follow, String::new(), &keep_out).unwrap_err();
    assert!(error.to_string().contains("lies in the results"), "{error}");
}

#[test]
fn credentials_stay_at_home_unless_they_are_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    lay(
        dir.path(),
        &[
            ("build/.env", "x"),
            ("build/.env.local", "x"),
            ("build/sub/.npmrc", "x"),
            ("build/sub/.ssh/id", "x"),
            ("build/game", "x"),
            ("build/.nunuignore", "!/.env\n"),
            (".nunuignore", "!.env*\n!.npmrc\n!.ssh\n"),
        ],
    );
    let keep_out = KeepOut::new([], &Workspace::find(&Env::default(), dir.path()));
    let build = whole(&dir.path().join("build"), Links::Follow, &keep_out);
    assert_eq!(named(&build), [".env", "game"]);
    let notes = build.notes().join("\n");
    assert!(notes.contains(".env.local") && notes.contains("!/"), "{notes}");
    let workspace = whole(dir.path(), Links::Follow, &keep_out);
    assert_eq!(named(&workspace), ["build/game"]);
    assert!(workspace.notes()[0].contains("instead of the whole workspace"), "{:?}", workspace.notes());
}

/// Bazel and the like make trees of links.
#[cfg(unix)]
#[test]
fn links_count_where_they_end() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("build");
    lay(&root, &[("store/game", "x"), ("store/.env", "x"), ("app/readme", "x")]);
    let link = |target: &Path, name: &str| symlink(target, root.join(name)).unwrap();
    link(&root.join("store/game"), "app/game");
    link(Path::new("../../build/store"), "app/data");
    link(Path::new("../store/.env"), "app/settings");
    link(&root, "app/top");
    let keep = whole(&root, Links::Keep, &KeepOut::default());
    let target = |name: &str| match &keep.entries.iter().find(|entry| entry.name == name).unwrap().kind {
        EntryKind::Link { target } => target.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(target("app/game"), "../store/game");
    assert_eq!(target("app/data"), "../store");
    assert_eq!(target("app/top"), "../");
    assert!(!named(&keep).contains(&"app/settings"));

    std::fs::remove_file(root.join("app/top")).unwrap();
    let follow = whole(&root, Links::Follow, &KeepOut::default());
    assert_eq!(named(&follow), ["app/data/game", "app/game", "app/readme", "store/game"]);

    lay(dir.path(), &[("cache/big", "x")]);
    link(&dir.path().join("cache"), "app/cache");
    for links in [Links::Keep, Links::Follow] {
        let failure = walk(&root, links, String::new(), &KeepOut::default()).unwrap_err().failure();
        assert!(failure.hints[0].contains("cp -RL"), "{failure}");
    }
    lay(&root, &[(".nunuignore", "/app/cache\n")]);
    whole(&root, Links::Keep, &KeepOut::default());
    whole(&root, Links::Follow, &KeepOut::default());
}
