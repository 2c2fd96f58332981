//! What a reply has to pass before anything reads it: its ids may be ids, and its texts hold no secret.

use reqwest::Url;
use serde_json::Value;

use crate::http::Net;
use crate::model::may_be_id;
use crate::model::redact::Redact as _;

/// Fields whose values are ids of builds, jobs, runs, plans, executions and projects, alone or in a list.
const IDS: [&str; 12] = [
    "id",
    "job_id",
    "job_ids",
    "run_id",
    "run_ids",
    "multiplayer_run_id",
    "multiplayer_run_ids",
    "composite_run_id",
    "build_id",
    "project_id",
    "test_plan_id",
    "test_plan_execution_id",
];
/// Fields that hold what has such ids. What users named themselves (template data, details) lies elsewhere.
const HOLDERS: [&str; 10] =
    ["data", "job", "jobs", "run", "runs", "players", "build", "apps", "results", "device_runs"];
/// Holders of holders that are followed: `data` / `job` / `runs` / `players`, each a list, is the deepest that is known.
const DEEPEST: u32 = 10;

/// Refuses a reply with an id that can be none, registers what its addresses lend, and replaces every secret in its texts.
/// Addresses stay as they are: they are fetched, not shown.
pub(super) fn receive(value: &mut Value, net: &Net) -> Result<(), String> {
    check_ids(value, net)?;
    walk(value, &mut |_, text| {
        if let Some(url) = address(text) {
            net.lent_url(&url);
        }
    });
    walk(value, &mut |name, text| {
        let is_id = IDS.contains(&name) && may_be_id(text);
        if !(is_id || is_address(name) && address(text).is_some()) {
            text.redact(net.secrets());
        }
    });
    Ok(())
}

/// Refuses a reply with an id that can be none; the others are said to be no secrets, whatever an address of the same reply lends.
pub(super) fn check_ids(value: &Value, net: &Net) -> Result<(), String> {
    ids_of(value, net, DEEPEST)
}

fn ids_of(value: &Value, net: &Net, depth: u32) -> Result<(), String> {
    if depth == 0 {
        return Ok(());
    }
    if let Value::Array(items) = value {
        return items.iter().try_for_each(|item| ids_of(item, net, depth - 1));
    }
    let Value::Object(fields) = value else { return Ok(()) };
    for (name, field) in fields {
        if IDS.contains(&name.as_str()) {
            let ids =
                if let Value::Array(ids) = field { ids.as_slice() } else { std::slice::from_ref(field) };
            for id in ids.iter().filter_map(Value::as_str).filter(|id| !id.is_empty()) {
                if !may_be_id(id) {
                    return Err(format!(
                        "{name} is no id: only letters, digits, `.`, `_` and `-` may stand in one, at most 128"
                    ));
                }
                if *net.secrets().redact_output(id) != *id {
                    return Err(format!("{name} holds the API key"));
                }
                net.secrets().publish(id);
            }
        } else if HOLDERS.contains(&name.as_str()) {
            ids_of(field, net, depth - 1)?;
        }
    }
    Ok(())
}

/// Shows every text to `see`, with the name of its field.
fn walk(value: &mut Value, see: &mut impl FnMut(&str, &mut String)) {
    fn inner(name: &str, value: &mut Value, see: &mut impl FnMut(&str, &mut String)) {
        match value {
            Value::String(text) => see(name, text),
            Value::Array(items) => items.iter_mut().for_each(|item| inner(name, item, see)),
            Value::Object(fields) => fields.iter_mut().for_each(|(name, field)| inner(name, field, see)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    inner("", value, see);
}

/// The address, when the text is one that could lend something.
fn address(text: &str) -> Option<Url> {
    let could = (text.starts_with("https://") || text.starts_with("http://")) && text.contains(['?', '@']);
    Url::parse(text).ok().filter(|_| could)
}

fn is_address(name: &str) -> bool {
    name == "url" || name.ends_with("_url")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::receive;
    use crate::http::testing::{Lines, net};
    use crate::model::secrets::Owner;

    #[test]
    fn refuses_ids_that_are_none_wherever_they_stand() {
        let net = net(&Lines::default());
        for bad in ["a/b", "..", ".", "$(id)", "a b", "a\nb", "é", "a?b", "***", &"x".repeat(129)] {
            for value in [
                json!({"job_id": bad}),
                json!({"ok": true, "job_ids": ["j1", bad]}),
                json!({"data": {"job_ids": [bad]}}),
                json!({"data": {"multiplayer_run_id": bad}}),
                json!({"job": {"job_id": "j", "runs": [{"multiplayer_run_id": bad}]}}),
                json!({"data": {"job": {"runs": [{"players": [{"id": bad}]}]}}}),
                json!({"run": {"players": [{"composite_run_id": bad}]}}),
                json!({"project_id": bad}),
                json!({"run": {"build": {"id": bad}, "apps": []}}),
                json!({"apps": [{"role": "main", "build_id": bad}]}),
                json!({"test_plan_execution_id": bad}),
                json!({"results": [{"data": {"job_ids": [bad]}}]}),
                json!([{"job_id": bad}]),
                json!({"id": bad}),
            ] {
                let said = receive(&mut value.clone(), &net).unwrap_err();
                let words = " is no id: only letters, digits, `.`, `_` and `-` may stand in one, at most 128";
                assert!(said.ends_with(words) && said.len() < 120, "{value}: {said}");
            }
        }
        for good in [
            json!({"job_id": null, "run_id": "", "build_id": 17, "job_ids": null}),
            json!({"job": {"template_data": {"run_id": "any text"}, "details": {"id": "a/b"}, "tags": ["a b"]}}),
            json!({"bugs": [{"id": "a b"}], "steps": [{"items": [{"id": "1 a"}]}]}),
            json!("text"),
        ] {
            let mut value = good.clone();
            assert_eq!(receive(&mut value, &net), Ok(()));
            assert_eq!(value, good);
        }
    }

    #[test]
    fn an_id_that_holds_the_key_is_refused() {
        let net = net(&Lines::default());
        net.secret("nunu_key_0123456789", Owner::Key);
        let said = receive(&mut json!({"job_ids": ["a-nunu_key_0123456789"]}), &net).unwrap_err();
        assert_eq!(said, "job_ids holds the API key");
    }

    #[test]
    fn texts_lose_their_secrets_and_addresses_stay() {
        let lines = Lines::default();
        let net = net(&lines);
        net.secret("nunu_key_0123456789", Owner::Key);
        let url = "https://store.example/a.mp4?X-Amz-Signature=5157a70e00aa55bb11cc&X-Amz-Credential=run0123456789abcdef";
        let mut value = json!({"run": {"run_id": "run0123456789abcdef", "name": "key nunu_\u{200b}key_0123456789 and 5157a70e00aa55bb11cc",
            "players": [{"artifacts": [{"url": url}], "note": format!("see {url}")}]}});
        receive(&mut value, &net).unwrap();
        assert_eq!(value["run"]["name"], "key *** and ***");
        let player = &value["run"]["players"][0];
        assert_eq!(player["artifacts"][0]["url"], url);
        assert!(!player["note"].to_string().contains("5157a70e00aa55bb11cc"), "{player}");
        assert_eq!(
            value["run"]["run_id"], "run0123456789abcdef",
            "an id that an address names as its credential"
        );
        assert!(
            lines.masked().iter().all(|mask| !mask.contains("run0123456789abcdef")),
            "{:?}",
            lines.masked()
        );
    }
}
