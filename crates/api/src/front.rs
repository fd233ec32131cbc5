//! The door: who calls, may they, then the handler. One function in front of every route and of
//! what is no route, so that no answer can come before the check of the credential.
//!
//! The order: the public set → 401 → 404 → 405 → 403 → 406 → the handler (413, 415, 400, …).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use futures::FutureExt as _;
use gate::{AuthError, Caller};
use http::request::Parts;
use http::{Request, Response};
use tracing::Instrument as _;

use crate::api::Api;
use crate::call::Call;
use crate::meters::Meters;
use crate::problem::{Problem, Reply};
use crate::routes::{Freshness, Handler, Route};
use crate::{accept, auth, body, request_id, weaken};

/// Where a request goes.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// A route of the table, by its place there.
    Route(usize, &'static Route),
    /// A path of the table with a method that it does not know.
    WrongMethod(&'static str),
    /// Nowhere.
    Nothing,
}

/// Answers one request, whatever happens inside.
pub(crate) async fn answer(api: Api, meters: Arc<Meters>, target: Target, request: Request<Body>) -> Response<Body> {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let id = request_id::of(&parts.headers);
    let span = match request_id::traceparent(&parts.headers) {
        Some(parent) => tracing::debug_span!("request", request_id = id, traceparent = parent),
        None => tracing::Span::none(),
    };
    let work = admitted(api, target, parts, body, &id).instrument(span);
    let mut response = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(problem)) => {
            if problem.status == http::StatusCode::UNAUTHORIZED {
                meters.auth_failed();
            }
            problem.render(&id)
        }
        Err(_panic) => Problem::internal().render(&id),
    };
    request_id::put(response.headers_mut(), &id);
    meters.answered(target, response.status(), started.elapsed());
    response
}

async fn admitted(api: Api, target: Target, parts: Parts, body: Body, id: &str) -> Reply {
    if let Target::Route(_, Route { handler: Handler::Public(handler), .. }) = target {
        body::drain(&parts.headers, body).await;
        return handler(api, parts).await;
    }
    match entitled(&api, target, &parts, id).await {
        Ok((caller, route, handler)) => {
            // A body that nobody asked for is read past, or it would break the connection.
            let body = if route.method == http::Method::GET {
                body::drain(&parts.headers, body).await;
                Body::empty()
            } else {
                body
            };
            let caller = Arc::new(caller);
            let call = Call::new(api.clone(), caller.clone(), route, parts, body).await;
            let reply = handler(call).await;
            match (&reply, route.freshness) {
                // What is refused before it reaches a batch was not checked against the heads there.
                (Err(problem), Freshness::InBatch) if problem.status.is_client_error() => {
                    api.gate().fresh(Caller::clone(&caller)).await?;
                    reply
                }
                _ => reply,
            }
        }
        Err(problem) => {
            body::drain(&parts.headers, body).await;
            Err(problem)
        }
    }
}

type PrivateHandler = fn(Call) -> futures::future::BoxFuture<'static, Reply>;

/// Who calls, by the credential and by nothing else.
async fn caller(api: &Api, target: Target, parts: &Parts, id: &str) -> Result<Caller, AuthError> {
    let (credential, workspace) = (auth::credential(&parts.headers), auth::workspace(&parts.headers));
    if let Some(caller) = weaken::let_in(api, target, credential, workspace, id) {
        return Ok(caller);
    }
    api.gate().authenticate(credential.ok_or(AuthError::Unauthenticated)?, workspace, id).await
}

async fn entitled(
    api: &Api,
    target: Target,
    parts: &Parts,
    id: &str,
) -> Result<(Caller, &'static Route, PrivateHandler), Problem> {
    let caller = caller(api, target, parts, id).await?;
    let refused = match target {
        Target::Nothing => Problem::no_route(),
        Target::WrongMethod(path) => Problem::wrong_method(crate::router::allowed(path)),
        Target::Route(_, route) => match (&route.handler, route.roles) {
            (Handler::Private(handler), Some(roles)) if roles.contains(caller.role) => {
                if accept::admits(&parts.headers, route.produces) {
                    let caller = match route.freshness {
                        Freshness::HeadRead => api.gate().fresh(caller).await?,
                        Freshness::InBatch => caller,
                    };
                    return Ok((caller, route, *handler));
                }
                Problem::new(
                    http::StatusCode::NOT_ACCEPTABLE,
                    "not_acceptable",
                    "`accept` excludes what this path answers",
                )
            }
            _ => Problem::forbidden("the key's role is not entitled to this"),
        },
    };
    // A refusal records nothing: it is only given to a key that is good as of now.
    api.gate().fresh(caller).await?;
    Err(refused)
}
