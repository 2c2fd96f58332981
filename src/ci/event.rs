//! GitHub's event file: what the variables do not tell of a pull request, a merge queue or a push.

use std::path::Path;

use serde_json::Value;

use crate::disk;
use crate::model::Env;

/// An event file larger than this is not read.
const LARGEST_EVENT: u64 = 8 * 1024 * 1024;

/// What an event tells; everything is optional.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Only where it is another one than that of the variables.
    pub(super) commit: Option<String>,
    pub(super) message: Option<String>,
    pub(super) author: Option<String>,
    pub(super) committed_at: Option<String>,
    pub(super) pr_number: Option<u64>,
    pub(super) pr_title: Option<String>,
    pub(super) pr_url: Option<String>,
    pub(super) source_branch: Option<String>,
    pub(super) target_branch: Option<String>,
    /// Where the base branch stood, on which the change was tested.
    pub(super) base_commit: Option<String>,
    /// True when the change comes from another repository.
    pub(super) from_fork: Option<bool>,
}

impl Told {
    /// What the event that started this workflow tells; nothing when there is none.
    pub(super) fn by(env: &Env, repository_url: Option<&str>) -> Self {
        event(env).map(|event| Self::of(&event, repository_url)).unwrap_or_default()
    }

    fn of(event: &Value, repository_url: Option<&str>) -> Self {
        if let Some(pull) = event.get("pull_request").filter(|pull| pull.is_object()) {
            return Self::pull_request(pull);
        }
        let group = event.get("merge_group").filter(|group| group.is_object());
        let head = group.unwrap_or(event).get("head_commit").unwrap_or(&Value::Null);
        let told = Self {
            message: text(head, "/message"),
            author: text(head, "/author/name"),
            committed_at: text(head, "/timestamp"),
            ..Self::default()
        };
        match group {
            Some(group) => told.in_queue(group, repository_url),
            None => told,
        }
    }

    /// A pull request is tested at its merge commit; what people mean is its head.
    fn pull_request(pull: &Value) -> Self {
        Self {
            commit: text(pull, "/head/sha"),
            pr_number: pull.get("number").and_then(Value::as_u64),
            pr_title: text(pull, "/title"),
            pr_url: text(pull, "/html_url"),
            source_branch: text(pull, "/head/ref"),
            target_branch: text(pull, "/base/ref"),
            base_commit: text(pull, "/base/sha"),
            // The repository of a fork may be deleted by now: then `head.repo` is null.
            from_fork: text(pull, "/base/repo/full_name")
                .map(|base| text(pull, "/head/repo/full_name").as_ref() != Some(&base)),
            ..Self::default()
        }
    }

    /// A merge queue tests a branch of its own, named `gh-readonly-queue/<base>/pr-<number>-<sha>`. The pull request itself is not in
    /// the event, but its number is in that name, and its title and branch are in the message of the commit that the queue made
    /// (GitHub: "Events that trigger workflows", `merge_group`; "About merge methods on GitHub").
    fn in_queue(mut self, group: &Value, repository_url: Option<&str>) -> Self {
        self.target_branch = text(group, "/base_ref").map(|name| match name.strip_prefix("refs/heads/") {
            Some(branch) => branch.to_owned(),
            None => name,
        });
        self.base_commit = text(group, "/base_sha");
        let head_ref = text(group, "/head_ref").unwrap_or_default();
        let name = head_ref.rsplit('/').next().and_then(|name| name.strip_prefix("pr-"));
        let number = name.and_then(|name| name.split('-').next()?.parse::<u64>().ok());
        let Some(number) = number else { return self };
        self.pr_number = Some(number);
        self.pr_url = repository_url.map(|repository| format!("{repository}/pull/{number}"));
        let message = self.message.clone().unwrap_or_default();
        let mut lines = message.lines().filter(|line| !line.trim().is_empty());
        let Some(first) = lines.next() else { return self };
        if let Some(from) = first.strip_prefix(&format!("Merge pull request #{number} from ")) {
            self.pr_title = lines.next().map(|line| line.trim().to_owned());
            self.source_branch = from.split_once('/').map(|(_, branch)| branch.trim().to_owned());
        } else {
            let title = first.trim_end().strip_suffix(&format!("(#{number})")).unwrap_or(first);
            self.pr_title = Some(title.trim().to_owned());
        }
        self
    }
}

fn text(value: &Value, path: &str) -> Option<String> {
    value.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn event(env: &Env) -> Option<Value> {
    serde_json::from_slice(&disk::read(Path::new(env.get("GITHUB_EVENT_PATH")?), LARGEST_EVENT).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Told;

    #[test]
    fn a_pull_request_gives_its_head_and_branch() {
        let told = Told::of(
            &json!({"pull_request": {
                "number": 7, "title": "Sword", "html_url": "https://x/7",
                "head": {"ref": "feature", "sha": "head", "repo": null},
                "base": {"ref": "main", "sha": "base", "repo": {"full_name": "acme/game"}},
            }}),
            None,
        );
        assert_eq!((told.commit.as_deref(), told.pr_number), (Some("head"), Some(7)));
        assert_eq!(told.source_branch.as_deref(), Some("feature"));
        assert_eq!((told.target_branch.as_deref(), told.from_fork), (Some("main"), Some(true)));
        assert_eq!(told.base_commit.as_deref(), Some("base"));
    }

    #[test]
    fn a_push_gives_its_commit() {
        let told = Told::of(&json!({"head_commit": {"message": "m", "author": {"name": "A"}}}), None);
        assert_eq!((told.message.as_deref(), told.author.as_deref()), (Some("m"), Some("A")));
        assert_eq!((told.pr_number, told.from_fork), (None, None));
    }

    #[test]
    fn a_merge_queue_gives_its_pull_request_and_base() {
        for (message, source_branch) in [
            ("Merge pull request #104 from acme/sword/new\n\nA sharper sword", Some("sword/new")),
            ("A sharper sword (#104)\n\n* first\n* second", None),
            ("A sharper sword", None),
        ] {
            let event = json!({"action": "checks_requested", "merge_group": {
                "head_sha": "c", "base_sha": "b", "base_ref": "refs/heads/release/2",
                "head_ref": "refs/heads/gh-readonly-queue/release/2/pr-104-0123456789abcdef",
                "head_commit": {"id": "c", "message": message, "author": {"name": "A"}},
            }});
            let told = Told::of(&event, Some("https://github.com/acme/game"));
            assert_eq!((told.pr_number, told.pr_title.as_deref()), (Some(104), Some("A sharper sword")));
            assert_eq!(told.pr_url.as_deref(), Some("https://github.com/acme/game/pull/104"));
            assert_eq!(told.target_branch.as_deref(), Some("release/2"));
            assert_eq!(told.base_commit.as_deref(), Some("b"));
            assert_eq!((told.source_branch.as_deref(), told.author.as_deref()), (source_branch, Some("A")));
        }
        let told = Told::of(&json!({"merge_group": {"base_ref": "refs/heads/main", "head_ref": null}}), None);
        assert_eq!((told.pr_number, told.target_branch.as_deref()), (None, Some("main")));
    }
}
