//! Requests as the App itself, authenticated with a JWT.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use ::http::StatusCode;
use tokio::time::Instant;

use super::Scope;
use super::jwt::jwt;
use crate::model::Event;
use crate::providers::error::Error;
use crate::providers::github::api::{Api, OctocrabClients};
use crate::providers::github::spec::App;
use crate::providers::http::{Http, Response};
use crate::providers::location::Location;

/// A smaller clock skew can't be why GitHub rejects a JWT.
const MIN_CLOCK_SKEW: Duration = Duration::from_secs(30);
/// A server's clock with a larger skew is ignored, so that no server can obtain a JWT for a time of its choice.
const MAX_CLOCK_SKEW: Duration = Duration::from_hours(24);

/// Sends requests as the App itself.
pub(super) struct AppClient<'a> {
    pub(super) app: &'a App,
    pub(super) scope: &'a Scope<'a>,
    octocrab: &'a Rc<OctocrabClients>,
    pub(super) http: &'a Http<'a>,
    pub(super) location: &'a Location,
    signed: RefCell<SignedApi>,
}

/// The API, authenticated with a JWT.
#[derive(Clone)]
struct SignedApi {
    api: Rc<Api>,
    /// The time that the JWT was signed with, by the local or the server's clock.
    signed_at: SystemTime,
}

impl<'a> AppClient<'a> {
    pub(super) fn new(
        app: &'a App,
        scope: &'a Scope<'a>,
        location: &'a Location,
        octocrab: &'a Rc<OctocrabClients>,
        http: &'a Http<'a>,
    ) -> Result<Self, Error> {
        let local_time = SystemTime::now();
        let server_time = http.at_server(Instant::now());
        let is_credible = difference(local_time, server_time) <= MAX_CLOCK_SKEW;
        let now = if is_credible { server_time } else { local_time };
        Ok(Self {
            app,
            scope,
            octocrab,
            http,
            location,
            signed: RefCell::new(sign(app, now, octocrab, http)?),
        })
    }

    /// Sends a request. If GitHub rejects the JWT and its clock differs from the time the JWT was signed with, signs a
    /// new one by GitHub's clock and sends the request once more.
    pub(super) async fn request<T>(
        &self,
        send: impl AsyncFn(Rc<Api>) -> Result<T, Error>,
        response: impl Fn(&T) -> &Response,
    ) -> Result<T, Error> {
        let SignedApi { api, signed_at } = self.signed.borrow().clone();
        let first = send(api).await?;
        let is_rejected = response(&first).status == StatusCode::UNAUTHORIZED;
        let server_time = response(&first).server_time().filter(|server_time| {
            let is_credible = difference(*server_time, SystemTime::now()) <= MAX_CLOCK_SKEW;
            is_rejected && is_credible && difference(*server_time, signed_at) > MIN_CLOCK_SKEW
        });
        let Some(server_time) = server_time else {
            return Ok(first);
        };
        let signed = sign(self.app, server_time, self.octocrab, self.http)?;
        self.signed.replace(signed.clone());
        send(signed.api).await
    }
}

fn difference(one: SystemTime, other: SystemTime) -> Duration {
    let later = one.duration_since(other);
    later.unwrap_or_else(|error| error.duration())
}

fn sign(
    app: &App,
    signed_at: SystemTime,
    octocrab: &Rc<OctocrabClients>,
    http: &Http<'_>,
) -> Result<SignedApi, Error> {
    let jwt = jwt(app, signed_at)?;
    http.emit(Event::Minted(&jwt));
    let api = Rc::new(Api::new(octocrab, &jwt)?);
    Ok(SignedApi { api, signed_at })
}
