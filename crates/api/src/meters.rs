//! Counting requests: by route template and status, never by anything a caller chooses.

use std::sync::OnceLock;
use std::time::Duration;

use http::StatusCode;
use metrics::{Counter, Histogram, counter, histogram};

use crate::front::Target;
use crate::routes::{ROUTES, Route};

/// The statuses that the API answers; anything else counts as `other`.
const STATUSES: [u16; 16] = [200, 201, 400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 429, 500, 503, 0];

/// The instruments, made once: looking one up by its labels costs more than counting.
pub(crate) struct Meters {
    routes: Vec<RouteMeters>,
    no_route: RouteMeters,
    auth_failed: Counter,
}

struct RouteMeters {
    method: &'static str,
    path: &'static str,
    seconds: Histogram,
    answers: [OnceLock<Counter>; STATUSES.len()],
}

impl Meters {
    /// Takes its instruments from the recorder that is installed now.
    pub(crate) fn new() -> Self {
        Self {
            routes: ROUTES.iter().map(RouteMeters::of).collect(),
            no_route: RouteMeters::new("other", "other"),
            auth_failed: counter!("exeat_auth_failed_total"),
        }
    }

    pub(crate) fn answered(&self, target: Target, status: StatusCode, took: Duration) {
        let meters = match target {
            Target::Route(place, _) => self.routes.get(place).unwrap_or(&self.no_route),
            Target::WrongMethod(_) | Target::Nothing => &self.no_route,
        };
        meters.seconds.record(took.as_secs_f64());
        meters.count(status);
    }

    pub(crate) fn auth_failed(&self) {
        self.auth_failed.increment(1);
    }
}

impl RouteMeters {
    fn of(route: &Route) -> Self {
        let method = if route.method == http::Method::GET {
            "GET"
        } else if route.method == http::Method::PUT {
            "PUT"
        } else {
            "POST"
        };
        Self::new(method, route.path)
    }

    fn new(method: &'static str, path: &'static str) -> Self {
        let seconds = histogram!("exeat_http_request_duration_seconds", "method" => method, "route" => path);
        Self { method, path, seconds, answers: [const { OnceLock::new() }; STATUSES.len()] }
    }

    fn count(&self, status: StatusCode) {
        let place = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(STATUSES.len() - 1);
        let (Some(counter), Some(known)) = (self.answers.get(place), STATUSES.get(place)) else { return };
        counter
            .get_or_init(|| {
                let label = if *known == 0 { "other".to_owned() } else { known.to_string() };
                counter!("exeat_http_requests_total", "method" => self.method, "route" => self.path, "status" => label)
            })
            .increment(1);
    }
}
