//! The API host: authentication, then one function per call.

mod follow;
mod request;
mod start;
mod upload;

use crate::call::Call;
use crate::keys::{Refusal, authorize};
use crate::reply::Reply;

pub(crate) use request::ApiRequest;

/// Answers a call to the API.
pub(crate) async fn answer(request: ApiRequest) -> Reply {
    let call = request.routed.call;
    if !request.inner.config.serves(call) {
        return Reply::error(404, "not found");
    }
    if call == Call::PartUrls {
        return upload::part_urls(&request);
    }
    let home = &request.inner.config.project;
    let allowed = request.inner.with(|state| {
        let project = request.routed.project.as_deref();
        authorize(&state.keys, request.key.as_deref(), project, home, call.permission())
            .map(|key| key.id.clone())
    });
    let key_id = match allowed {
        Ok(key_id) => key_id,
        Err(Refusal(status, message)) => return Reply::error(status, &message),
    };
    if request.malformed && request.body.is_none() {
        return Reply::error(400, "request body is not valid JSON");
    }
    let reply = match call {
        Call::Initiate => upload::initiate(&request).await,
        Call::Complete => upload::complete(&request).await,
        Call::CancelUpload => upload::cancel(&request).await,
        Call::ListBuilds => upload::list(&request),
        Call::GetBuild => upload::get(&request),
        Call::DeleteBuild => upload::delete(&request),
        Call::StartRun => start::run(&request, &key_id),
        Call::StartPlan => start::plan(&request, &key_id),
        Call::Stop => start::stop(&request, &key_id),
        _ => follow::answer(&request),
    };
    if matches!(call, Call::StartRun | Call::StartPlan | Call::Stop) {
        request.inner.remember();
    }
    reply
}
