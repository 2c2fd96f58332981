//! Every report file and every form of every secret: none is shown, nothing else is lost, and no form is broken.

use super::files;
use super::reports::{bug, job, player, report, step};
use crate::model::hidden::is_hidden;
use crate::model::job::Artifact;
use crate::model::redact::Redact as _;
use crate::model::run_report::{LeftRunning, StartProblem, Suspect};
use crate::model::secrets::{Owner, Secrets, forms};
use crate::model::verdict::{Gate, Quarantine, Quarantined};
use crate::model::{ExitReason, Failure, RunReport, TestResult};
use crate::report::{annotations, brief, comment, ctrf, gitlab, json, junit, markdown, outputs};

use super::log;

const KEY: &str = "nunu_a/b+c&d\"e_<0123456789>";
const SIGNATURE: &str = "5157a70e00aa55bb11cc0123456789abcdef5157a70e00aa55bb11cc01234567";
const TOKEN: &str = "FwoGZXIvYXdzEJr//////////wEaDK_~*token+with/signs==";
const VARIABLE: &str = "p*ss_w[o]rd|of|the shop";

/// A report with the text in every place that the service, the repository or the environment fills.
pub(super) fn all_over(text: &str) -> RunReport {
    let own = || Some(text.to_owned());
    let mut one = step(1, text, "FAILED", text);
    one.items[0].comment = own();
    text.clone_into(&mut one.items[0].expected);
    text.clone_into(&mut one.items[0].id);
    text.clone_into(&mut one.items[0].status);
    one.state = own();
    let mut who = player(1, vec![one]);
    who.device = own();
    who.state = own();
    who.result = Some(TestResult::Unknown(text.to_owned()));
    who.artifacts = vec![Artifact {
        file_name: text.to_owned(),
        url: format!("https://store.example/{text}"),
        size_bytes: None,
        saved_as: own(),
    }];
    let mut failed = job(text, "FAILED", vec![who]);
    for place in
        [&mut failed.device, &mut failed.queue_rejection, &mut failed.stopped_by, &mut failed.test_id]
    {
        *place = own();
    }
    text.clone_into(&mut failed.run);
    failed.job_id = "job-1".to_owned();
    failed.attempts[0].unreadable = own();
    failed.attempts[0].state = own();
    let mut found = bug(text, text, text);
    for place in
        [&mut found.description, &mut found.category, &mut found.reproduction_steps, &mut found.test_step]
    {
        *place = own();
    }
    found.screenshot_url = Some(format!("https://store.example/a.png?sig={text}"));
    failed.attempts[0].bugs = vec![found];
    let failure = Failure::new(ExitReason::StartIncomplete, text).cause(text).hint(text);
    let known = Quarantine {
        what: Quarantined::Bug("bug-7".to_owned()),
        until: "2026-12-31".parse().unwrap(),
        reason: text.to_owned(),
    };
    let gate = Gate { quarantine: vec![known], ..Gate::default() };
    let mut report = report(vec![failed], &gate, Some(failure));
    report.warnings = vec![text.to_owned()];
    report.starts =
        vec![StartProblem { run: text.to_owned(), device: own(), message: text.to_owned(), tag: own() }];
    report.suspects = vec![Suspect { commit: text.to_owned(), subject: text.to_owned() }];
    report.left_running =
        vec![LeftRunning { job_ids: vec!["job-1".to_owned()], tag: own(), why: text.to_owned() }];
    let context = &mut report.context;
    for place in [
        &mut context.ci_url,
        &mut context.commit,
        &mut context.commit_subject,
        &mut context.branch,
        &mut context.pull_request_title,
        &mut context.repository_url,
        &mut context.build_number,
    ] {
        *place = own();
    }
    if let Some(build) = &mut report.build {
        build.name = own();
        build.file_name = own();
    }
    if let Some(verdict) = &mut report.verdict {
        verdict.warnings = vec![text.to_owned()];
        for judgement in &mut verdict.judgements {
            text.clone_into(&mut judgement.because);
        }
    }
    report
}

/// Every file, and what goes to the host.
pub(super) fn sinks(report: &RunReport) -> Vec<(&'static str, String)> {
    vec![
        ("junit.xml", junit(report, "nunu-results/")),
        ("results.json", json(report)),
        ("summary.md", markdown(report)),
        ("ctrf.json", ctrf(report)),
        ("brief.md", brief(report, "nunu-results/")),
        ("report.html", super::evidence::page(report)),
        ("nunu.env", super::super::dotenv::dotenv(report, &files()).text),
        ("gl-annotations.json", gitlab(report)),
        ("the comment", comment(report, "play-test")),
        ("the log's closing lines", log(report)),
        ("annotations", format!("{:?}", annotations(report, 10))),
        ("outputs", format!("{:?}", outputs(report, Some(&files())))),
    ]
}

/// What a reader of the format could see: escapes resolved, nothing hidden.
fn read(text: &str) -> String {
    let visible: String = text.chars().filter(|letter| !is_hidden(*letter)).collect();
    visible
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&#58;", ":")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#38;", "&")
        .replace("&amp;", "&")
        .replace('\\', "")
}

#[test]
fn no_form_of_any_secret_is_in_any_file() {
    for (raw, owner) in
        [(KEY, Owner::Key), (SIGNATURE, Owner::Lent), (TOKEN, Owner::Lent), (VARIABLE, Owner::User)]
    {
        let secrets = Secrets::default();
        assert!(!secrets.register(raw, owner).is_empty());
        for form in forms(raw) {
            let hidden: String = form.chars().flat_map(|letter| [letter, '\u{2060}']).collect();
            let broken: String = form.chars().flat_map(|letter| [letter, '\u{1b}']).collect();
            for text in [form.clone(), format!("see {form}, please"), hidden, broken] {
                let mut report = all_over(&text);
                report.redact(&secrets);
                for (name, made) in sinks(&report) {
                    for wanted in forms(raw).iter().chain([&form]) {
                        assert!(!made.contains(wanted.as_str()), "{name} shows {wanted:?}");
                        assert!(
                            !read(&made).contains(&read(wanted)),
                            "{name} shows {wanted:?} to its readers"
                        );
                    }
                    let says = made.contains("***") || made.contains("\\*\\*\\*");
                    assert!(
                        says || ["nunu.env", "outputs"].contains(&name),
                        "{name} does not say that something was there:\n{made}"
                    );
                }
                assert!(quick_junit::Report::deserialize_from_str(&junit(&report, "r/")).is_ok());
                assert!(serde_json::from_str::<serde_json::Value>(&json(&report)).is_ok());
            }
        }
    }
}

#[test]
fn what_the_service_calls_a_secret_breaks_no_file_and_hides_no_output() {
    let mut plain = report(
        vec![job("Login", "FAILED", vec![player(1, vec![step(1, "log in", "FAILED", "")])])],
        &Gate::default(),
        None,
    );
    let secrets = Secrets::default();
    for (_, value) in outputs(&plain, Some(&files())) {
        secrets.publish(&value);
    }
    let before = sinks(&plain);
    // As a redirect to `?sig=...` would: words of ours, markup, names, ids.
    for (_, text) in &before {
        for word in text.split([' ', '\n', ',']).filter(|word| !word.is_empty()) {
            secrets.register(word.trim_matches('"'), Owner::Lent);
        }
    }
    for (_, value) in outputs(&plain, Some(&files())) {
        secrets.register(&value, Owner::Lent);
    }
    let values = outputs(&plain, Some(&files()));
    plain.redact(&secrets);
    assert_eq!(outputs(&plain, Some(&files())), values);
    for (_, value) in values {
        assert_eq!(secrets.redact_output(&value), value);
    }
    assert!(quick_junit::Report::deserialize_from_str(&junit(&plain, "r/")).is_ok());
    assert!(serde_json::from_str::<serde_json::Value>(&json(&plain)).is_ok());
}
