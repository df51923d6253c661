//! In-memory GitHub, GitLab and Bitbucket that speak their pipeline APIs. They are as strict as the real ones, record
//! every request, and inject faults on demand. Used by tests, and as a program (`cargo run -p sandbox`) for
//! experiments by hand. Never part of the product.
//!
//! # Starting one
//!
//! A [`Sandbox`] runs on its own thread, so plain `#[test]` functions can use it. Dropping it closes everything.
//!
//! ```
//! use sandbox::{Sandbox, World, demo};
//!
//! let sandbox = Sandbox::start(World::demo())?;
//! // Plain http on 127.0.0.1, and https with a certificate issued by its own CA:
//! let (http, https, ca) = (sandbox.http_url(), sandbox.https_url(), sandbox.ca_pem());
//! // All three share one port: GitHub at /api/v3 and /github/api/v3, GitLab at /api/v4 and /gitlab/api/v4,
//! // Bitbucket at /2.0. Requests for a provider's own host (api.github.com, …) use that host's paths.
//! assert_eq!(sandbox.github_api_url(), format!("{http}/api/v3"));
//! # let _ = (https, ca, demo::GITHUB_CLASSIC);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Most tests use [`World::demo`]; the constants in [`demo`] describe its contents. Build other worlds from the
//! types in [`world`], or change the world while the sandbox runs:
//!
//! ```
//! # use sandbox::{Sandbox, World};
//! # let sandbox = Sandbox::start(World::demo())?;
//! use sandbox::world::RunDetails;
//! sandbox.with_world(|world| world.github.run_details = RunDetails::RejectedWith(422));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`Sandbox::builder`] sets ports, `[::1]`, and valid or invalid certificates. For a server that first refuses
//! connections and then comes up:
//!
//! ```
//! # use sandbox::{Sandbox, World};
//! let port = Sandbox::reserve_port()?; // connections are refused …
//! let number = port.number();
//! let sandbox = Sandbox::builder(World::demo()).http_on(port).start()?; // … until now
//! assert_eq!(sandbox.http_port(), number);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Faults
//!
//! A fault has a route (which requests), an occasion (which of them), and a moment (before or after the request
//! changes the world):
//!
//! ```
//! use std::time::Duration;
//! use sandbox::{Fault, HangUp, Moment, MalformedResponse, Occasion, Provider, Route};
//! # use sandbox::{Response, Sandbox, World};
//! # let sandbox = Sandbox::start(World::demo())?;
//!
//! // The run starts, but the client gets a 502:
//! sandbox.fault(Route::triggers(), Occasion::Nth(1), Fault::status(Moment::AfterActing, 502));
//! // ECONNRESET, and nothing was started:
//! sandbox.fault(Route::triggers(), Occasion::First(2), Fault::Reset(Moment::BeforeActing));
//! // Acts late, even if the client has given up by then:
//! let gitlab = Route::any().provider(Provider::GitLab).method("POST").path("/pipeline");
//! sandbox.fault(gitlab, Occasion::Every, Fault::Delay(Moment::BeforeActing, Duration::from_secs(3)));
//! sandbox.fault(Route::any(), Occasion::Nth(5), Fault::github_secondary_limit(Some(2)));
//! // A response that isn't HTTP, or never ends:
//! let endless = Fault::Malformed(Moment::AfterActing, MalformedResponse::endless_headers());
//! sandbox.fault(Route::any(), Occasion::Nth(6), endless);
//! // A keep-alive connection that is closed anyway:
//! let hang_up = Fault::HangUp(HangUp::ResetAtNextRequest);
//! sandbox.fault(Route::any().method("GET"), Occasion::Every, hang_up);
//! sandbox.clear_faults();
//! // Refuses new connections for a while, and drops open ones:
//! sandbox.close();
//! sandbox.open();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Inspecting the result
//!
//! [`Sandbox::requests`] returns the requests with their headers, bodies and responses; [`Sandbox::runs`] returns the
//! runs:
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
//! # Re-runs and commit statuses
//!
//! A world can contain the run of the calling workflow, and grant its `GITHUB_TOKEN` a permission that it lacks by
//! default. Each attempt of a run follows its own scenario, on GitLab each retry of a pipeline:
//!
//! ```
//! use std::time::Duration;
//! use sandbox::world::{Access, Scenario};
//! # use sandbox::{Provider, Sandbox, World, demo};
//!
//! let (second, minute) = (Duration::from_secs(1), Duration::from_mins(1));
//! let flaky = Scenario::failing(second).on_rerun(Scenario::passing(second));
//! let world = World::demo()
//!     .grant(demo::GITHUB_WORKFLOW_OF_CALLER, "statuses", Access::Write)
//!     // Its first attempt began ten minutes ago and failed; the second one has just begun:
//!     .caller_run("octo-org/caller", 5_001, &[10 * minute, Duration::ZERO])
//!     .scenario(Provider::GitHub, flaky);
//! let sandbox = Sandbox::start(world)?;
//! sandbox.with_world(|world| world.run_again(5_001));
//! assert_eq!(sandbox.runs()[0].attempt(), 3);
//! for status in sandbox.statuses() {
//!     println!("{} {} {} {:?}", status.sha, status.context, status.state.as_str(), status.description);
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`Proxy`] is a forward proxy for tests: it forwards `CONNECT` or refuses it, and records the targets. [`TlsFront`]
//! terminates TLS in front of another server, which makes an https proxy, or one that intercepts TLS.

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
pub use proxy::{Proxy, ProxyBehaviour, ProxyRequest};
pub use record::{RecordedRequest, RecordedResponse};
pub use request::Headers;
pub use response::Response;
pub use sandbox::Sandbox;
pub use tls_front::TlsFront;
pub use world::{Provider, Run, World, demo};
