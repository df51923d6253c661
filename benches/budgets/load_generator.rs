//! A plain load generator, the rival of many targets: sends recorded requests as fast as it can, and looks at nothing
//! but the status. As ours it is a process of its own, with one thread, the same HTTP client and the same
//! certificates; it reads no inputs, keeps no record, and writes nothing.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Client;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use sandbox::RecordedRequest;
use serde::{Deserialize, Serialize};

/// The argument by which this program is told to be the load generator, for the requests in a file.
pub(crate) const SEND: &str = "--send-requests-in";

/// What the client sets by itself, from the address and the body.
const OWN_HEADERS: [&str; 2] = ["host", "content-length"];

/// All that the load generator is told.
#[derive(Serialize, Deserialize)]
struct Load {
    at_once: usize,
    requests: Vec<Request>,
}

#[derive(Serialize, Deserialize)]
struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// The load generator, for these requests to this server; they are left in the file.
pub(crate) fn command(
    file: &Path,
    server: &str,
    requests: &[RecordedRequest],
    at_once: usize,
    bundle: &Path,
) -> Result<impl Fn() -> Command + use<>> {
    let requests = requests
        .iter()
        .map(|request| again(server, request))
        .collect::<Result<_>>()?;
    fs::write(file, serde_json::to_vec(&Load { at_once, requests })?)?;
    let program = env::current_exe()?;
    let (file, bundle) = (file.to_owned(), bundle.to_owned());
    Ok(move || {
        let mut command = Command::new(&program);
        command.arg(SEND).arg(&file);
        command.env_clear().env("SSL_CERT_FILE", &bundle);
        command
    })
}

fn again(server: &str, recorded: &RecordedRequest) -> Result<Request> {
    let mut headers = recorded.headers.0.clone();
    headers.retain(|(name, _)| !OWN_HEADERS.contains(&name.to_lowercase().as_str()));
    Ok(Request {
        method: recorded.method.clone(),
        url: format!("{server}{}", recorded.path),
        headers,
        body: String::from_utf8(recorded.body.clone())?,
    })
}

/// Sends all requests of the file. One that does not end well is an error.
pub(crate) fn send(file: &str) -> Result<()> {
    let load: Load = serde_json::from_slice(&fs::read(file)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = client()?;
        stream::iter(load.requests)
            .map(|request| deliver(&client, request))
            .buffer_unordered(load.at_once)
            .try_collect()
            .await
    })
}

fn client() -> Result<Client> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("there is a provider of cryptography already"))?;
    Ok(Client::builder()
        .http1_only()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .build()?)
}

async fn deliver(client: &Client, request: Request) -> Result<()> {
    let headers = request.headers.iter().map(|(name, value)| {
        let pair: (HeaderName, HeaderValue) = (name.parse()?, value.parse()?);
        anyhow::Ok(pair)
    });
    let headers: HeaderMap = headers.collect::<Result<_>>()?;
    let response = client
        .request(request.method.parse()?, request.url)
        .headers(headers)
        .body(request.body)
        .send()
        .await?
        .error_for_status()?;
    // A connection can be used again only when its answer has been read.
    response.bytes().await.context("the response breaks off")?;
    Ok(())
}
