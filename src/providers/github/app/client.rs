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

/// Clocks that are no further apart are no reason to refuse a JWT.
const MIN_CLOCK_SKEW: Duration = Duration::from_secs(30);
/// A clock that is further off isn't believed: nobody gets a JWT for a time of their choice.
const MAX_CLOCK_SKEW: Duration = Duration::from_hours(24);

/// The App itself, asking for what it needs.
pub(super) struct AppClient<'a> {
    pub(super) app: &'a App,
    pub(super) scope: &'a Scope<'a>,
    octocrab: &'a Rc<OctocrabClients>,
    pub(super) http: &'a Http<'a>,
    pub(super) location: &'a Location,
    signed: RefCell<SignedApi>,
}

/// The API with a JWT in it.
#[derive(Clone)]
struct SignedApi {
    api: Rc<Api>,
    /// By the clock that it was signed by.
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

    /// Asks, and asks once more where GitHub does not take the JWT and its clock shows another time than it was
    /// signed by.
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
