//! The comment on a pull or merge request, through the built program and a stand-in of the forge.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use nunu_sim::{DEFAULT_KEY, Scenario, Sim};
use serde_json::{Value, json};

use crate::stage::Stage;

/// One request: method, path with query, headers in lower case.
type Asked = (String, String, String);

/// One comment: id, author, text.
type Comment = (u64, String, String);

/// Who writes on GitHub with the token of a workflow, which may not ask who it is.
const WORKFLOW: &str = "github-actions[bot]";

/// A forge with one pull request. Every connection serves one request.
struct Forge {
    address: String,
    comments: Arc<Mutex<Vec<Comment>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Forge {
    /// Answers every request with `status` when it is not 200.
    fn new(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let first = (1, "ana".to_owned(), "a comment of somebody".to_owned());
        let comments = Arc::new(Mutex::new(vec![first]));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let forge = Self { address, comments: Arc::clone(&comments), asked: Arc::clone(&asked) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(&stream, status, &comments, &asked);
            }
        });
        forge
    }

    fn ours(&self) -> Vec<String> {
        let comments = self.comments.lock().unwrap();
        comments.iter().skip(1).map(|(_, _, body)| body.clone()).collect()
    }

    /// As if somebody else had written our comment.
    fn give_away(&self, author: &str) {
        author.clone_into(&mut self.comments.lock().unwrap()[1].1);
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: &TcpStream, status: u16, comments: &Mutex<Vec<Comment>>, asked: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head).unwrap_or(0) > 2 {}
    let head = head.to_ascii_lowercase();
    let mut words = head.split_whitespace();
    let method = words.next().unwrap_or_default().to_ascii_uppercase();
    let path = words.next().unwrap_or_default().to_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap_or("0");
    let mut body = vec![0; length.trim().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = said["body"].as_str().unwrap_or_default().to_owned();
    let mut known = comments.lock().unwrap();
    let github = path.starts_with("/repos/");
    if status == 200 {
        match method.as_str() {
            "POST" => {
                let id = u64::try_from(known.len()).unwrap() + 1;
                known.push((id, if github { WORKFLOW } else { "project_42_bot" }.to_owned(), text));
            }
            "PATCH" | "PUT" => {
                let id: u64 = path.rsplit('/').next().unwrap().parse().unwrap();
                known.iter_mut().find(|(known, ..)| *known == id).unwrap().2 = text;
            }
            _ => {}
        }
    }
    let list = known.iter().map(|(id, author, body)| {
        if github {
            json!({"id": id, "body": body, "user": {"login": author}})
        } else {
            json!({"id": id, "body": body, "author": {"username": author}})
        }
    });
    let (status, reply) = match path.as_str() {
        "/user" if head.contains("authorization: bearer ghs_") => {
            (403, json!({"message": "not for integrations"}))
        }
        "/user" if head.contains("private-token: ") => {
            (status, json!({"id": 42, "username": "project_42_bot"}))
        }
        "/user" => (status, json!({"id": 42, "login": "ci-robot"})),
        _ => (status, list.collect()),
    };
    let reply = reply.to_string();
    asked.lock().unwrap().push((method, path, head));
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{reply}",
        reply.len()
    );
}

fn on_github(forge: &Forge, scenario: Scenario) -> Stage {
    let stage = Stage::of(Sim::builder().scenario(scenario));
    let event = json!({"pull_request": {"number": 7, "title": "Sell swords",
        "head": {"ref": "swords", "sha": "0123456789abcdef", "repo": {"full_name": "acme/game"}},
        "base": {"ref": "main", "repo": {"full_name": "acme/game"}}}});
    stage.file("event.json", event.to_string().as_bytes());
    let path = stage.work().join("event.json").display().to_string();
    stage
        .env("GITHUB_EVENT_NAME", "pull_request")
        .env("GITHUB_EVENT_PATH", &path)
        .env("GITHUB_API_URL", &forge.address)
        .env("NUNU_COMMENT", "true")
        .env("NUNU_GITHUB_TOKEN", "ghs_comment_token_1234")
}

#[test]
fn one_comment_on_github_follows_the_latest_run() {
    let forge = Forge::new(200);
    on_github(&forge, Scenario::failed()).quick(&[]).is(1, "tests-failed");
    let first = forge.ours();
    assert_eq!(first.len(), 1);
    assert!(first[0].contains('❌'), "{first:?}");
    on_github(&forge, Scenario::passed()).quick(&[]).is(0, "passed");
    let second = forge.ours();
    assert_eq!(second.len(), 1, "updated in place");
    assert!(second[0].contains('✅'), "{second:?}");
    // Another leg of the matrix has a comment of its own.
    on_github(&forge, Scenario::failed()).env("NUNU_MATRIX_INDEX", "1").quick(&[]).is(1, "tests-failed");
    assert_eq!(forge.ours().len(), 2);
    assert_eq!(forge.ours()[0], second[0]);
    for (method, path, head) in forge.asked() {
        assert!(path.starts_with("/repos/acme/game/issues/") || path == "/user", "{method} {path}");
        assert!(head.contains("authorization: bearer ghs_comment_token_1234"), "{head}");
        assert!(!head.contains(&DEFAULT_KEY.to_ascii_lowercase()), "our key went to the forge");
    }
}

#[test]
fn a_comment_of_somebody_else_is_not_taken_for_ours() {
    // The token of a workflow, and one of a person or machine user.
    for token in ["ghs_comment_token_1234", "ghp_comment_token_1234"] {
        let forge = Forge::new(200);
        on_github(&forge, Scenario::failed())
            .env("NUNU_GITHUB_TOKEN", token)
            .quick(&[])
            .is(1, "tests-failed");
        // With our mark, in front of everything, as anybody may write it.
        forge.give_away("mallory");
        on_github(&forge, Scenario::passed()).env("NUNU_GITHUB_TOKEN", token).quick(&[]).is(0, "passed");
        let all = forge.ours();
        assert_eq!(all.len(), 2, "a comment of our own: {all:?}");
        assert!(all[0].contains('❌') && all[1].contains('✅'), "{all:?}");
    }
    // Whom the token belongs to decides, not who runs it.
    let forge = Forge::new(200);
    on_github(&forge, Scenario::failed()).quick(&[]).is(1, "tests-failed");
    forge.give_away("ci-robot");
    on_github(&forge, Scenario::passed())
        .env("NUNU_GITHUB_TOKEN", "ghp_comment_token_1234")
        .quick(&[])
        .is(0, "passed");
    assert_eq!(forge.ours().len(), 1, "updated in place");
}

#[test]
fn one_note_on_gitlab_follows_the_latest_run() {
    let forge = Forge::new(200);
    for (scenario, code, reason) in
        [(Scenario::failed(), 1, "tests-failed"), (Scenario::passed(), 0, "passed")]
    {
        let stage = Stage::of(Sim::builder().scenario(scenario))
            .env("GITHUB_ACTIONS", "")
            .env("GITLAB_CI", "true")
            .env("CI_PROJECT_ID", "42")
            .env("CI_PIPELINE_ID", "99")
            .env("CI_JOB_ID", "1001")
            .env("CI_JOB_NAME", "play-test")
            .env("CI_MERGE_REQUEST_IID", "5")
            .env("CI_API_V4_URL", &forge.address)
            .env("NUNU_COMMENT", "true")
            .env("NUNU_GITLAB_TOKEN", "glpat-comment-token-1234");
        assert_eq!(stage.quick(&[]).code, code);
        assert_eq!(stage.results()["exit_reason"], reason);
    }
    let notes = forge.ours();
    assert_eq!(notes.len(), 1, "updated in place");
    assert!(notes[0].contains('✅'), "{notes:?}");
    for (method, path, head) in forge.asked() {
        assert!(
            path.starts_with("/projects/42/merge_requests/5/notes") || path == "/user",
            "{method} {path}"
        );
        assert!(head.contains("private-token: glpat-comment-token-1234"), "{head}");
    }
}

#[test]
fn a_token_that_may_not_comment_is_a_warning_with_the_lines_to_add() {
    let forge = Forge::new(403);
    let ended = on_github(&forge, Scenario::passed()).quick(&[]);
    ended.is(0, "passed").says("permissions:").says("pull-requests: write");
    let ended = on_github(&forge, Scenario::passed()).env("NUNU_GITHUB_TOKEN", "").quick(&[]);
    ended.is(0, "passed").says("github-token: ${{ github.token }}");
}
