//! A plain load generator, the rival for many targets: sends recorded requests as fast as it can, and checks only the
//! status. Like the action it is a process of its own with one thread, the same HTTP client and the same
//! certificates. It reads no inputs, decides nothing, and writes nothing.

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

use crate::request::explicit_headers;

/// With this argument and a file of requests, this program is the load generator.
pub(crate) const SEND: &str = "--send-requests-in";

/// The load generator's input.
#[derive(Serialize, Deserialize)]
struct Load {
    parallelism: usize,
    requests: Vec<LoadRequest>,
}

#[derive(Serialize, Deserialize)]
struct LoadRequest {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// Returns the command that starts the load generator for these requests to this server. It reads them from the file.
pub(crate) fn command(
    file: &Path,
    server: &str,
    requests: &[RecordedRequest],
    parallelism: usize,
    bundle: &Path,
) -> Result<impl Fn() -> Command + use<>> {
    let requests = requests
        .iter()
        .map(|request| again(server, request))
        .collect::<Result<_>>()?;
    fs::write(
        file,
        serde_json::to_vec(&Load {
            parallelism,
            requests,
        })?,
    )?;
    let program = env::current_exe()?;
    let (file, bundle) = (file.to_owned(), bundle.to_owned());
    Ok(move || {
        let mut command = Command::new(&program);
        command.arg(SEND).arg(&file);
        command.env_clear().env("SSL_CERT_FILE", &bundle);
        command
    })
}

fn again(server: &str, recorded: &RecordedRequest) -> Result<LoadRequest> {
    Ok(LoadRequest {
        method: recorded.method.clone(),
        url: format!("{server}{}", recorded.path),
        headers: explicit_headers(recorded),
        body: String::from_utf8(recorded.body.clone())?,
    })
}

/// Sends all requests in the file. Fails if one of them fails.
pub(crate) fn send(file: &str) -> Result<()> {
    let load: Load = serde_json::from_slice(&fs::read(file)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = client()?;
        stream::iter(load.requests)
            .map(|request| deliver(&client, request))
            .buffer_unordered(load.parallelism)
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

async fn deliver(client: &Client, request: LoadRequest) -> Result<()> {
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
    // A connection can only be reused once its response has been read.
    response.bytes().await.context("the response breaks off")?;
    Ok(())
}
