//! Builds of engines that cannot start as they are: told before anything is sent, with the folder to name.

use crate::stage::Stage;

const ASKED: [&str; 4] =
    ["--test-id", nunu_sim::DEFAULT_TEST, "--deployment-config-id", nunu_sim::WINDOWS_CONFIG];

#[test]
fn an_executable_without_its_data_is_refused_with_the_folder_to_name() {
    let stage = Stage::new();
    stage.file("Builds/Win/Game.exe", &[b'M'; 500]);
    stage.file("Builds/Win/UnityPlayer.dll", &[0; 500]);
    stage.file("Builds/Win/Game_Data/globalgamemanagers", &[0; 500]);
    let run = |path: &str| {
        stage.run(&[&["run", "--build-path", path, "--platform", "windows"][..], &ASKED].concat())
    };
    let alone = run("Builds/Win/Game.exe");
    alone.is(4, "build-unsupported");
    alone.says("Game.exe is a player of Unity and does not start without Game_Data");
    alone.says("point build-path at the folder").says("Builds/Win");
    assert!(stage.sim.requests_to(nunu_sim::Call::Initiate).is_empty());
    run("Builds/Win").is(0, "passed");
    std::fs::remove_dir_all(stage.work().join("Builds/Win/Game_Data")).unwrap();
    run("Builds/Win")
        .says("Win has a player of Unity without its data: Game_Data is missing beside Game.exe");
    assert_eq!(stage.sim.ledger().builds.len(), 1);
}

#[test]
fn a_development_build_is_told_and_sent() {
    let stage = Stage::new();
    stage.file("out/Game.exe", &[b'M'; 500]);
    stage.file("out/UnityPlayer.dll", &[0; 500]);
    stage.file("out/Game_Data/boot.config", b"gfx-enable-gfx-jobs=1\nplayer-connection-debug=1\n");
    let ended = stage.run(&[&["run", "--build-path", "out", "--platform", "windows"][..], &ASKED].concat());
    ended.is(0, "passed");
    ended.says("out is a development build of Unity");
}
