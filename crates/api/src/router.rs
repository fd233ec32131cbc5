//! The router, built from the table of routes and from nothing else.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::{Method, Request};

use crate::api::Api;
use crate::front::{Target, answer};
use crate::meters::Meters;
use crate::routes::ROUTES;

/// The whole API as a service. Every path goes through the same door, unknown ones included.
///
/// Install the metrics recorder first: the instruments are taken from the one installed now.
pub fn router(state: Api) -> Router {
    let meters = Arc::new(Meters::new());
    let mut router = Router::new();
    for path in paths() {
        let (api, meters) = (state.clone(), meters.clone());
        // Methods are told apart here and not by axum, which would tell strangers what is allowed.
        let handler = move |request: Request<Body>| {
            let target = target(path, request.method());
            answer(api, meters, target, request)
        };
        router = router.route(path, any(handler));
    }
    router.fallback(move |request: Request<Body>| answer(state, meters, Target::Nothing, request))
}

/// Every path of the table once.
fn paths() -> Vec<&'static str> {
    let mut paths: Vec<&'static str> = ROUTES.iter().map(|route| route.path).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// The route of a path and method; `HEAD` is answered as `GET` is.
fn target(path: &'static str, method: &Method) -> Target {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let found = ROUTES.iter().enumerate().find(|(_, route)| route.path == path && route.method == *method);
    found.map_or(Target::WrongMethod(path), |(place, route)| Target::Route(place, route))
}

/// The methods that a path of the table knows, as `Allow` lists them.
pub(crate) fn allowed(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for route in ROUTES.iter().filter(|route| route.path == path) {
        names.push(route.method.as_str());
        if route.method == Method::GET {
            names.push("HEAD");
        }
    }
    names.join(", ")
}
