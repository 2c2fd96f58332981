//! Which documented call a request is; touches nothing.

use hyper::{Method, Uri};
use percent_encoding::percent_decode_str;

use crate::call::{Call, Host};

/// The bucket of builds in storage.
pub(crate) const BUILDS: &str = "builds";

/// A request with its meaning.
#[derive(Debug, Clone)]
pub(crate) struct Routed {
    pub(crate) call: Call,
    /// The project id of the URL, when it has one.
    pub(crate) project: Option<String>,
    /// The id in the path; for storage the key, for artifacts the composite run id.
    pub(crate) id: String,
    /// The artifact's file name.
    pub(crate) file: String,
    /// Decoded query parameters, in order.
    pub(crate) query: Vec<(String, String)>,
}

impl Routed {
    /// The value of a query parameter; empty values count as absent.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str())
    }
}

/// Reads method and address.
pub(crate) fn route(host: Host, method: &Method, uri: &Uri) -> Routed {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .map(|(n, v)| (n.into_owned(), v.into_owned()))
        .collect();
    let segments: Vec<String> = uri
        .path()
        .split('/')
        .skip(1)
        .map(|s| percent_decode_str(s).decode_utf8_lossy().into_owned())
        .collect();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let mut routed =
        Routed { call: Call::Unknown, project: None, id: String::new(), file: String::new(), query };
    match host {
        Host::Api => api(&mut routed, method, &parts),
        Host::Storage => storage(&mut routed, method, &parts),
        Host::Artifacts => artifacts(&mut routed, method, &parts),
    }
    routed
}

fn api(routed: &mut Routed, method: &Method, parts: &[&str]) {
    let rest = match parts {
        ["api", "v1", "project", project, rest @ ..] => {
            routed.project = Some((*project).to_owned());
            rest
        }
        ["api", "v1", rest @ ..] => rest,
        ["nexus", project, "runs", "m", id, "details"] | ["nexus", project, "runs", "c", id]
            if method == Method::GET =>
        {
            routed.project = Some((*project).to_owned());
            (*id).clone_into(&mut routed.id);
            routed.call = Call::RunPage;
            return;
        }
        _ => return,
    };
    let (call, id) = match (method.as_str(), rest) {
        ("POST", ["builds", "upload"]) => (Call::Initiate, ""),
        ("GET", ["builds", "upload", "parts"]) => (Call::PartUrls, ""),
        ("POST", ["builds", "upload", "complete"]) => (Call::Complete, ""),
        ("DELETE", ["builds", "upload"]) => (Call::CancelUpload, ""),
        ("GET", ["builds"]) => (Call::ListBuilds, ""),
        ("GET", ["builds", id]) => (Call::GetBuild, *id),
        ("DELETE", ["builds", id]) => (Call::DeleteBuild, *id),
        ("POST", ["runs"]) => (Call::StartRun, ""),
        ("POST", ["runs", "stop"]) => (Call::Stop, ""),
        ("POST", ["test-plans", id, "runs"]) => (Call::StartPlan, *id),
        ("GET", ["jobs"]) => (Call::ListJobs, ""),
        ("GET", ["jobs", id]) => (Call::GetJob, *id),
        ("GET", ["runs"]) => (Call::ListRuns, ""),
        ("GET", ["runs", id]) => (Call::GetRun, *id),
        ("GET", ["runs", id, "bugs"]) => (Call::RunBugs, *id),
        ("GET", ["runs", id, "live"]) => (Call::RunLive, *id),
        ("GET", ["tests"]) => (Call::ListTests, ""),
        ("GET", ["tests", id]) => (Call::GetTest, *id),
        ("GET", ["test-plans"]) => (Call::ListPlans, ""),
        ("GET", ["test-plans", id]) => (Call::GetPlan, *id),
        ("GET", ["test-plan-executions"]) => (Call::ListExecutions, ""),
        ("GET", ["test-plan-executions", id]) => (Call::GetExecution, *id),
        ("GET", ["deployment-configs"]) => (Call::DeploymentConfigs, ""),
        ("GET", ["agent-configs"]) => (Call::AgentConfigs, ""),
        _ => return,
    };
    routed.call = call;
    id.clone_into(&mut routed.id);
}

fn storage(routed: &mut Routed, method: &Method, parts: &[&str]) {
    let [bucket, key @ ..] = parts else { return };
    routed.id = key.join("/");
    let part = routed.param("partNumber").and_then(|n| n.parse().ok());
    routed.call = match (method.as_str(), part) {
        ("PUT", Some(number)) if *bucket == BUILDS => Call::PutPart(number),
        ("PUT", None) if *bucket == BUILDS => Call::PutSingle,
        ("GET", None) => Call::StorageGet,
        _ => Call::Unknown,
    };
}

fn artifacts(routed: &mut Routed, method: &Method, parts: &[&str]) {
    let (call, id, file) = match (method.as_str(), parts) {
        ("GET", ["runs", id, "artifacts"]) => (Call::ListArtifacts, *id, String::new()),
        ("GET", ["runs", id, "artifacts", file @ ..] | ["artifacts", id, file @ ..]) if !file.is_empty() => {
            (Call::GetArtifact, *id, file.join("/"))
        }
        _ => return,
    };
    routed.call = call;
    id.clone_into(&mut routed.id);
    routed.file = file;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_every_documented_address() {
        let table: &[(Host, Method, &str, Call, &str)] = &[
            (Host::Api, Method::POST, "/api/v1/runs", Call::StartRun, ""),
            (Host::Api, Method::POST, "/api/v1/project/p%20q/runs/stop", Call::Stop, ""),
            (Host::Api, Method::GET, "/api/v1/builds/upload/parts?x=1", Call::PartUrls, ""),
            (Host::Api, Method::GET, "/api/v1/builds/abc", Call::GetBuild, "abc"),
            (Host::Api, Method::GET, "/v1/builds/abc", Call::Unknown, ""),
            (Host::Api, Method::GET, "/nexus/p/runs/m/r-1/details", Call::RunPage, "r-1"),
            (Host::Api, Method::GET, "/nexus/p/runs/c/r-1-2", Call::RunPage, "r-1-2"),
            (Host::Storage, Method::PUT, "/builds/id/build?partNumber=7", Call::PutPart(7), "id/build"),
            (Host::Storage, Method::PUT, "/other/id/build", Call::Unknown, "id/build"),
            (Host::Artifacts, Method::GET, "/runs/r-1/artifacts/a/b%20c.md", Call::GetArtifact, "r-1"),
        ];
        for (host, method, address, call, id) in table {
            let routed = route(*host, method, &address.parse().unwrap());
            assert_eq!((routed.call, routed.id.as_str()), (*call, *id), "{address}");
        }
    }
}
