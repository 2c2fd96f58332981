//! Comments on pull and merge requests.

use serde_json::json;

use super::KEY;
use crate::api::pr_comment::{Comment, CommentTarget, Comments};
use crate::http::testing::{Act, Lines, Server, json, net};
use crate::model::secrets::SecretString;

async fn github(act: Act) -> (Server, Comments) {
    let server = Server::play([act]).await;
    let target =
        CommentTarget::GitHub { api_url: server.origin.clone(), repository: "o/r".to_owned(), number: 7 };
    let comments = Comments::new(net(&Lines::default()), target, SecretString::from("ghs_token0123456789"));
    (server, comments)
}

async fn gitlab(act: Act) -> (Server, Comments) {
    let server = Server::play([act]).await;
    let target = CommentTarget::GitLab {
        api_url: format!("{}/api/v4", server.origin),
        project: "g/p".to_owned(),
        number: 7,
    };
    let comments = Comments::new(net(&Lines::default()), target, SecretString::from("glpat-0123456789"));
    (server, comments)
}

#[tokio::test]
async fn speaks_github() {
    let (server, comments) = github(json(200, r#"[{"id":1,"body":"hello"},{"id":2,"body":null}]"#)).await;
    let want = [(1, "hello"), (2, "")].map(|(id, body)| Comment {
        id,
        author: String::new(),
        body: body.to_owned(),
    });
    assert_eq!(comments.list().await.unwrap(), want);
    comments.create("new").await.unwrap();
    comments.update(2, "other").await.unwrap();
    let seen = server.seen();
    let lines: Vec<&str> = seen.iter().map(crate::http::testing::Seen::line).collect();
    assert_eq!(
        lines,
        [
            "GET /repos/o/r/issues/7/comments?per_page=100&page=1",
            "POST /repos/o/r/issues/7/comments",
            "PATCH /repos/o/r/issues/comments/2"
        ]
    );
    assert!(seen.iter().all(|seen| seen.header("authorization") == Some("Bearer ghs_token0123456789")));
    assert!(seen.iter().all(|seen| seen.header("x-api-key").is_none() && !seen.head.contains(KEY)));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&seen[1].body).unwrap(), json!({"body": "new"}));
}

#[tokio::test]
async fn speaks_gitlab() {
    let (server, comments) = gitlab(json(200, r#"[{"id":1,"body":"hello"}]"#)).await;
    assert_eq!(comments.list().await.unwrap().len(), 1);
    comments.create("new").await.unwrap();
    comments.update(1, "other").await.unwrap();
    let seen = server.seen();
    let lines: Vec<&str> = seen.iter().map(crate::http::testing::Seen::line).collect();
    assert_eq!(
        lines,
        [
            "GET /api/v4/projects/g%2Fp/merge_requests/7/notes?per_page=100&page=1",
            "POST /api/v4/projects/g%2Fp/merge_requests/7/notes",
            "PUT /api/v4/projects/g%2Fp/merge_requests/7/notes/1"
        ]
    );
    assert!(seen.iter().all(|seen| seen.header("private-token") == Some("glpat-0123456789")));
}

#[tokio::test]
async fn says_which_permission_is_missing() {
    let (_server, comments) =
        github(json(403, r#"{"message":"Resource not accessible by integration"}"#)).await;
    let error = comments.create("x").await.unwrap_err();
    assert!(error.message.contains("Resource not accessible by integration"), "{error}");
    assert!(error.hint.unwrap().contains("pull-requests: write"));
    let (_server, comments) = gitlab(json(401, r#"{"message":"401 Unauthorized"}"#)).await;
    let error = comments.create("x").await.unwrap_err();
    assert!(error.hint.unwrap().contains("scope api"), "{}", error.message);
}

#[tokio::test]
async fn a_comment_is_written_once_and_a_token_stays_on_encrypted_ways() {
    let (server, comments) = github(json(502, "{}")).await;
    assert!(comments.create("x").await.is_err());
    assert_eq!(server.seen().len(), 1);
    let target = CommentTarget::GitHub {
        api_url: "http://ghe.example".to_owned(),
        repository: "o/r".to_owned(),
        number: 7,
    };
    let comments = Comments::new(net(&Lines::default()), target, SecretString::from("ghs_token0123456789"));
    assert!(comments.list().await.unwrap_err().message.contains("https://"));
}
