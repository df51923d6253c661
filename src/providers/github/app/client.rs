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
use crate::providers::github::api::{Api, Library};
use crate::providers::github::spec::App;
use crate::providers::http::{Http, Response};
use crate::providers::location::Location;

/// Clocks that are no further apart are no reason to refuse a JWT.
const MIN_CLOCK_DIFFERENCE: Duration = Duration::from_secs(30);
/// A clock that is further off isn't believed: nobody gets a JWT for a time of their choice.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_hours(24);

/// The App itself, asking for what it needs.
pub(super) struct AppClient<'a> {
    pub(super) app: &'a App,
    pub(super) scope: &'a Scope<'a>,
    library: &'a Rc<Library>,
    pub(super) http: &'a Http<'a>,
    pub(super) location: &'a Location,
    signed: RefCell<Signed>,
}

/// The API with a JWT in it.
#[derive(Clone)]
struct Signed {
    api: Rc<Api>,
    /// By the clock that it was signed by.
    at: SystemTime,
}

impl<'a> AppClient<'a> {
    pub(super) fn new(
        app: &'a App,
        scope: &'a Scope<'a>,
        location: &'a Location,
        library: &'a Rc<Library>,
        http: &'a Http<'a>,
    ) -> Result<Self, Error> {
        let ours = SystemTime::now();
        let theirs = http.at_server(Instant::now());
        let is_credible = apart(ours, theirs) <= MAX_CLOCK_DIFFERENCE;
        let now = if is_credible { theirs } else { ours };
        Ok(Self {
            app,
            scope,
            library,
            http,
            location,
            signed: RefCell::new(sign(app, now, library, http)?),
        })
    }

    /// Asks, and asks once more where GitHub does not take the JWT and its clock shows another time than it was
    /// signed by.
    pub(super) async fn ask<T>(
        &self,
        request: impl AsyncFn(Rc<Api>) -> Result<T, Error>,
        response: impl Fn(&T) -> &Response,
    ) -> Result<T, Error> {
        let Signed { api, at } = self.signed.borrow().clone();
        let first = request(api).await?;
        let is_refused = response(&first).status == StatusCode::UNAUTHORIZED;
        let theirs = response(&first).server_time().filter(|theirs| {
            let is_credible = apart(*theirs, SystemTime::now()) <= MAX_CLOCK_DIFFERENCE;
            is_refused && is_credible && apart(*theirs, at) > MIN_CLOCK_DIFFERENCE
        });
        let Some(theirs) = theirs else {
            return Ok(first);
        };
        let signed = sign(self.app, theirs, self.library, self.http)?;
        self.signed.replace(signed.clone());
        request(signed.api).await
    }
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    let later = one.duration_since(other);
    later.unwrap_or_else(|error| error.duration())
}

fn sign(
    app: &App,
    at: SystemTime,
    library: &Rc<Library>,
    http: &Http<'_>,
) -> Result<Signed, Error> {
    let jwt = jwt(app, at)?;
    http.emit(Event::Minted(&jwt));
    let api = Rc::new(Api::new(library, &jwt)?);
    Ok(Signed { api, at })
}
