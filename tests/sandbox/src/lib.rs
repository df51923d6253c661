//! In-memory GitHub, GitLab and Bitbucket that speak their pipeline APIs: as strict as the real ones, with a
//! record of every request, and faults on demand. For tests, and as a program (`cargo run -p sandbox`) for trying
//! by hand. Never part of the product.
//!
//! # Starting one
//!
//! A [`Sandbox`] has a thread of its own, so plain `#[test]` functions can use it; dropping it closes everything.
//!
//! ```
//! use sandbox::{Sandbox, World, demo};
//!
//! let sandbox = Sandbox::start(World::demo())?;
//! // Plain http on 127.0.0.1, and https with a certificate of its own authority:
//! let (http, https, ca) = (sandbox.http_url(), sandbox.https_url(), sandbox.ca_pem());
//! // GitHub is under /api/v3 and /github/api/v3, GitLab under /api/v4 and /gitlab/api/v4, Bitbucket under /2.0,
//! // all on one port; for the host api.github.com and the like, under the same paths as there.
//! assert_eq!(sandbox.github_api_url(), format!("{http}/api/v3"));
//! # let _ = (https, ca, demo::GITHUB_CLASSIC);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`World::demo`] is what most tests need; the constants in [`demo`] say what is in it. Other worlds are built
//! from the nouns in [`world`], or changed while the sandbox runs:
//!
//! ```
//! # use sandbox::{Sandbox, World};
//! # let sandbox = Sandbox::start(World::demo())?;
//! use sandbox::world::RunDetails;
//! sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(422));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`Sandbox::builder`] sets ports, `[::1]`, and good or bad certificates. For "refused, then up":
//!
//! ```
//! # use sandbox::{Sandbox, World};
//! let port = Sandbox::reserve_port()?; // connections to it are refused …
//! let number = port.number();
//! let sandbox = Sandbox::builder(World::demo()).http_on(port).start()?; // … and now they are not
//! assert_eq!(sandbox.http_port(), number);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Faults
//!
//! For which requests, on which occasions, what goes wrong, and whether the world has changed by then:
//!
//! ```
//! use std::time::Duration;
//! use sandbox::{Fault, HangUp, Moment, MalformedResponse, Occasion, Provider, Route};
//! # use sandbox::{Response, Sandbox, World};
//! # let sandbox = Sandbox::start(World::demo())?;
//!
//! // The run starts, but the client sees 502:
//! sandbox.fault(Route::triggers(), Occasion::Nth(1), Fault::status(Moment::AfterActing, 502));
//! // ECONNRESET, and nothing was started:
//! sandbox.fault(Route::triggers(), Occasion::First(2), Fault::Reset(Moment::BeforeActing));
//! // It acts, but late. Clients that give up meanwhile do not stop it.
//! let gitlab = Route::any().provider(Provider::GitLab).method("POST").path("/pipeline");
//! sandbox.fault(gitlab, Occasion::Every, Fault::Delay(Moment::BeforeActing, Duration::from_secs(3)));
//! sandbox.fault(Route::any(), Occasion::Nth(5), Fault::github_secondary_limit(Some(2)));
//! // No HTTP at all, or none that ever ends:
//! let endless = Fault::Malformed(Moment::AfterActing, MalformedResponse::endless_headers());
//! sandbox.fault(Route::any(), Occasion::Nth(6), endless);
//! // A connection that is to be kept ends all the same:
//! let hang_up = Fault::HangUp(HangUp::ResetAtNextRequest);
//! sandbox.fault(Route::any().method("GET"), Occasion::Every, hang_up);
//! sandbox.clear_faults();
//! // New connections are refused for a while, and open ones are cut off:
//! sandbox.close();
//! sandbox.open();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Reading what happened
//!
//! [`Sandbox::requests`] is what arrived (headers, bodies, how it was answered), [`Sandbox::runs`] what was started:
//!
//! ```
//! # use sandbox::{Sandbox, World};
//! # let sandbox = Sandbox::start(World::demo())?;
//! for request in sandbox.trigger_requests() {
//!     println!("{} {} {:?}", request.method, request.path, request.response);
//!     assert!(request.headers.get("user-agent").is_some());
//!     assert!(request.objections.is_empty(), "{:?}", request.objections);
//! }
//! for run in sandbox.runs() {
//!     println!("{} {} {:?}", run.provider, run.pipeline, run.reference_name());
//! }
//! assert_eq!(sandbox.runs().len(), 0);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`Proxy`] is a forward proxy for tests: passes `CONNECT` on or refuses it, and remembers the targets. [`TlsFront`]
//! speaks TLS in front of what does not, or in front of what does: a proxy that is reached by https, or one that opens
//! what it passes on.

pub mod action;
mod background;
mod builder;
mod certificate;
mod clock;
mod endpoint;
mod fault;
mod form;
mod malformed_response;
mod port;
mod provider;
mod proxy;
mod record;
mod request;
mod response;
mod sandbox;
mod server;
mod stream;
mod tls_front;
pub mod world;

pub use builder::Builder;
pub use certificate::Certificate;
pub use fault::{Fault, HangUp, Moment, Occasion, Route};
pub use malformed_response::MalformedResponse;
pub use port::ReservedPort;
pub use proxy::{Proxied, Proxy, ProxyManners};
pub use record::{RecordedRequest, RecordedResponse};
pub use request::Headers;
pub use response::Response;
pub use sandbox::Sandbox;
pub use tls_front::TlsFront;
pub use world::{Provider, Run, World, demo};
