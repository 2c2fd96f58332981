//! `nunu-sim`: the stand-in as a program, for rehearsing a pipeline without device minutes.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use nunu_sim::{
    ALL_PERMISSIONS, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_KEY, DEFAULT_PLAN, DEFAULT_TEST, Generation, Key,
    Quirk, Scenario, Sim,
};

/// Plays nunu.ai on this machine: the API, its storage and its artifacts.
#[derive(Debug, Parser)]
#[command(name = "nunu-sim", version)]
struct Args {
    /// Port of the API; storage and artifacts take the two ports after it (0: free ports).
    #[arg(long, default_value_t = 7777)]
    port: u16,
    /// What started tests do: passed, failed, flaky, slow, rejected, 429, bugs, mixed, stopped, error, blocked, timeout, multiplayer or team.
    #[arg(long, default_value = "passed")]
    scenario: String,
    /// Play this many times faster, such as 10 or 0.5.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Accept this key too, with every permission (repeatable). `nunu_org_...` is an organisation key.
    #[arg(long)]
    key: Vec<String>,
    /// Remember all jobs in this folder, and go on with those of earlier times.
    #[arg(long)]
    history: Option<PathBuf>,
    /// Generation of the API: v1, v2, v3 or v5.
    #[arg(long, default_value = "v5", value_parser = generation)]
    generation: Generation,
}

fn generation(text: &str) -> Result<Generation, String> {
    match text.to_lowercase().as_str() {
        "v1" | "1" => Ok(Generation::V1),
        "v2" | "2" => Ok(Generation::V2),
        "v3" | "3" => Ok(Generation::V3),
        "v5" | "5" | "newest" => Ok(Generation::V5),
        _ => Err("expected v1, v2, v3 or v5".to_owned()),
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    match serve(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "error: {message}");
            ExitCode::from(2)
        }
    }
}

fn serve(args: &Args) -> Result<(), String> {
    let scenario = Scenario::named(&args.scenario).ok_or_else(|| {
        format!("unknown scenario `{}`; choose one of {}", args.scenario, Scenario::NAMES.join(", "))
    })?;
    if !(args.speed.is_finite() && args.speed > 0.0) {
        return Err(format!("--speed must be a number above 0, not {}", args.speed));
    }
    let ports = match args.port {
        0 => [0; 3],
        port => match (port.checked_add(1), port.checked_add(2)) {
            (Some(storage), Some(artifacts)) => [port, storage, artifacts],
            _ => return Err(format!("--port {port} leaves no room for the two ports after it")),
        },
    };
    let mut builder = Sim::builder()
        .scenario(scenario)
        .speed(args.speed)
        .generation(args.generation)
        .ports(ports[0], ports[1], ports[2]);
    if let Some(folder) = &args.history {
        builder = builder.memory(folder);
    }
    if args.scenario == "team" {
        // Whoever rehearses with a history must not get used to an order.
        builder = builder.quirk(Quirk::OwnOrder);
    }
    for key in &args.key {
        if key.trim().is_empty() {
            return Err("--key must not be empty".to_owned());
        }
        builder = builder.key(Key::new(key.as_str()).permissions(ALL_PERMISSIONS));
    }
    let sim = builder.start().map_err(|e| e.to_string())?;
    introduce(&sim, args).map_err(|e| format!("cannot write to standard output: {e}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("cannot wait for Ctrl-C: {e}"))?;
    runtime.block_on(told_to_end()).map_err(|e| format!("cannot wait for Ctrl-C: {e}"))
}

/// Ctrl-C, or a polite request to terminate: either way the temporary files go.
async fn told_to_end() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            ended = tokio::signal::ctrl_c() => ended,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// What a user needs to point a pipeline here.
fn introduce(sim: &Sim, args: &Args) -> std::io::Result<()> {
    let key = args.key.first().map_or(DEFAULT_KEY, String::as_str);
    let mut out = std::io::stdout().lock();
    writeln!(out, "nunu-sim plays the scenario `{}` until Ctrl-C", args.scenario)?;
    writeln!(out, "  storage    {}\n  artifacts  {}\n", sim.storage_url(), sim.artifacts_url())?;
    writeln!(out, "export NUNU_API_URL={}", sim.api_url())?;
    writeln!(out, "export NUNU_API_TOKEN={key}")?;
    writeln!(out, "export NUNU_PROJECT_ID={}\n", sim.project())?;
    writeln!(out, "test                      {DEFAULT_TEST}  (Smoke test)")?;
    writeln!(out, "test plan                 {DEFAULT_PLAN}  (Nightly)")?;
    writeln!(out, "deployment configuration  {DEFAULT_DEPLOYMENT_CONFIG}  (Android phone)\n")?;
    writeln!(out, "try:")?;
    writeln!(
        out,
        "  NUNU_API_URL={} NUNU_API_TOKEN={key} nunu-ci run --test-id {DEFAULT_TEST} --deployment-config-id {DEFAULT_DEPLOYMENT_CONFIG}",
        sim.api_url()
    )?;
    out.flush()
}
