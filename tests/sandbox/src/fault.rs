//! Faults on demand: which requests they apply to, when, and what goes wrong. `stream` and `server` break the
//! connections.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::malformed_response::MalformedResponse;
use crate::record::is_trigger;
use crate::request::Request;
use crate::response::Response;
use crate::world::Provider;

/// The requests that a fault applies to: `Route::any()`, narrowed by the other methods.
#[derive(Clone, Debug, Default)]
pub struct Route {
    provider: Option<Provider>,
    method: Option<String>,
    path: Option<String>,
    path_end: Option<String>,
    query: Option<String>,
    triggers_only: bool,
}

impl Route {
    pub fn any() -> Self {
        Self::default()
    }

    /// Matches the requests that start something: GitHub's dispatches, GitLab's and Bitbucket's pipelines.
    pub fn triggers() -> Self {
        Self {
            triggers_only: true,
            ..Self::any()
        }
    }

    #[must_use]
    pub fn provider(self, provider: Provider) -> Self {
        Self {
            provider: Some(provider),
            ..self
        }
    }

    #[must_use]
    pub fn method(self, method: &str) -> Self {
        Self {
            method: Some(method.to_owned()),
            ..self
        }
    }

    /// Matches requests whose raw path contains `part`.
    #[must_use]
    pub fn path(self, part: &str) -> Self {
        Self {
            path: Some(part.to_owned()),
            ..self
        }
    }

    /// Matches requests whose raw path, without a trailing slash, ends with `end`: `/runs` matches GitHub's lists of
    /// runs, but not a single run.
    #[must_use]
    pub fn path_end(self, end: &str) -> Self {
        Self {
            path_end: Some(end.to_owned()),
            ..self
        }
    }

    /// Matches requests whose raw query contains `part`.
    #[must_use]
    pub fn query(self, part: &str) -> Self {
        Self {
            query: Some(part.to_owned()),
            ..self
        }
    }

    fn matches(&self, request: &Request, provider: Option<Provider>) -> bool {
        self.provider.is_none_or(|wanted| provider == Some(wanted))
            && self
                .method
                .as_ref()
                .is_none_or(|wanted| *wanted == request.method)
            && self
                .path
                .as_ref()
                .is_none_or(|part| request.raw_path.contains(part.as_str()))
            && self.path_end.as_ref().is_none_or(|end| {
                request
                    .raw_path
                    .trim_end_matches('/')
                    .ends_with(end.as_str())
            })
            && self
                .query
                .as_ref()
                .is_none_or(|part| request.raw_query.contains(part.as_str()))
            && (!self.triggers_only || is_trigger(&request.method, &request.raw_path))
    }
}

/// Which of the matching requests fail. Each fault counts its own, from the moment it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Only the nth request, counted from 1.
    Nth(usize),
    /// The first n requests.
    First(usize),
    /// All requests for this long after the fault is set, in real time.
    For(Duration),
    Every,
}

/// Whether the request changes the world before the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It hasn't changed the world and (except after a delay) never will.
    BeforeActing,
    /// It has changed the world, if the request was valid.
    AfterActing,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The client gets `ECONNRESET`.
    Reset(Moment),
    /// The connection is closed without a response.
    Close(Moment),
    /// Delays the action or the response. Can be combined with another fault of the same request.
    Delay(Moment, Duration),
    /// Replaces the provider's response.
    Response(Moment, Response),
    /// Acts, and sends the provider's headers and only the first half of the body. Has no effect on an empty body.
    Truncate,
    /// Acts, and sends the provider's headers and its JSON with this edit. Bodies that aren't JSON stay unchanged.
    Edit(fn(&mut Value)),
    /// Sends a body of `length` bytes, which is never in memory as a whole.
    Huge {
        moment: Moment,
        status: u16,
        length: u64,
    },
    /// Acts, and sends the provider's headers and its body byte by byte, with this pause before each byte.
    Slow(Duration),
    /// Sends these bytes instead of a response.
    Malformed(Moment, MalformedResponse),
    /// Acts and responds, then ends the connection although the response has no `Connection: close`.
    HangUp(HangUp),
}

/// How a keep-alive connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    /// Closed right after the response.
    Close,
    /// Reset right after the response.
    Reset,
    /// Reset when the next request arrives. That request isn't read, so it isn't recorded.
    ResetAtNextRequest,
}

impl Fault {
    pub fn status(moment: Moment, status: u16) -> Self {
        Self::Response(
            moment,
            Response::body(status, "text/html", "<html>something went wrong</html>"),
        )
    }

    /// Redirects without acting.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::Response(
            Moment::BeforeActing,
            Response::status(status).header("Location", location),
        )
    }

    /// GitHub's primary rate limit: no requests remain until `reset`, in seconds since 1970.
    pub fn github_primary_limit(status: u16, reset: u64) -> Self {
        let response = github_limit(
            status,
            "API rate limit exceeded for user ID 1.",
            "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api",
        );
        Self::Response(
            Moment::BeforeActing,
            response
                .header("X-RateLimit-Limit", 5000)
                .header("X-RateLimit-Remaining", 0)
                .header("X-RateLimit-Used", 5000)
                .header("X-RateLimit-Reset", reset)
                .header("X-RateLimit-Resource", "core"),
        )
    }

    /// GitHub's secondary rate limit: with `Retry-After` in seconds, or only with its message.
    pub fn github_secondary_limit(retry_after: Option<u64>) -> Self {
        let response = github_limit(
            403,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits",
        );
        Self::Response(Moment::BeforeActing, retry_later(response, retry_after))
    }

    pub fn gitlab_limit(retry_after: Option<u64>) -> Self {
        let response = Response::body(429, "text/plain", "Retry later\n");
        Self::Response(Moment::BeforeActing, retry_later(response, retry_after))
    }

    pub fn bitbucket_limit(retry_after: Option<u64>) -> Self {
        let response = Response::json(
            429,
            json!({"type": "error", "error": {"message": "Rate limit for this resource has been exceeded"}}),
        );
        Self::Response(Moment::BeforeActing, retry_later(response, retry_after))
    }
}

fn github_limit(status: u16, message: &str, documentation: &str) -> Response {
    Response::json(
        status,
        json!({"message": message, "documentation_url": documentation, "status": status.to_string()}),
    )
}

fn retry_later(response: Response, seconds: Option<u64>) -> Response {
    match seconds {
        Some(seconds) => response.header("Retry-After", seconds),
        None => response,
    }
}

/// The active faults, with the number of matches of each.
#[derive(Default)]
pub(crate) struct Faults(Vec<ActiveFault>);

struct ActiveFault {
    route: Route,
    occasion: Occasion,
    fault: Fault,
    set_at: Instant,
    matched: usize,
}

impl Faults {
    pub(crate) fn set(&mut self, route: Route, occasion: Occasion, fault: Fault) {
        self.0.push(ActiveFault {
            route,
            occasion,
            fault,
            set_at: Instant::now(),
            matched: 0,
        });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the faults of this request, and counts it for every fault that matches.
    pub(crate) fn plan_for(&mut self, request: &Request, provider: Option<Provider>) -> Plan {
        let mut plan = Plan::default();
        for set in &mut self.0 {
            if !set.route.matches(request, provider) {
                continue;
            }
            set.matched += 1;
            let applies = match set.occasion {
                Occasion::Nth(nth) => set.matched == nth,
                Occasion::First(first) => set.matched <= first,
                Occasion::For(time) => set.set_at.elapsed() <= time,
                Occasion::Every => true,
            };
            if applies {
                plan.add(&set.fault);
            }
        }
        plan
    }
}

/// The faults of one request. Delays add up; of all others, the one that was set first wins.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) delay_before: Duration,
    pub(crate) delay_after: Duration,
    pub(crate) fault: Option<Fault>,
}

impl Plan {
    fn add(&mut self, fault: &Fault) {
        match fault {
            Fault::Delay(Moment::BeforeActing, duration) => self.delay_before += *duration,
            Fault::Delay(Moment::AfterActing, duration) => self.delay_after += *duration,
            Fault::Reset(_)
            | Fault::Close(_)
            | Fault::Response(..)
            | Fault::Truncate
            | Fault::Edit(_)
            | Fault::Huge { .. }
            | Fault::Slow(_)
            | Fault::Malformed(..)
            | Fault::HangUp(_) => {
                self.fault.get_or_insert_with(|| fault.clone());
            }
        }
    }

    pub(crate) fn acts(&self) -> bool {
        match self.fault {
            None
            | Some(
                Fault::Truncate
                | Fault::Edit(_)
                | Fault::Slow(_)
                | Fault::Delay(..)
                | Fault::HangUp(_),
            ) => true,
            Some(
                Fault::Reset(moment)
                | Fault::Close(moment)
                | Fault::Response(moment, _)
                | Fault::Huge { moment, .. }
                | Fault::Malformed(moment, _),
            ) => moment == Moment::AfterActing,
        }
    }
}
