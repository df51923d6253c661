//! Every kind of fault: when it happens, and its effect on the world and the record.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use sandbox::{
    Fault, HangUp, MalformedResponse, Moment, Occasion, Provider, RecordedResponse, Response,
    Route, Sandbox, demo,
};
use serde_json::json;

use crate::client::{RequestBuilder, request, start};

/// Starts exactly one run.
fn trigger(sandbox: &Sandbox) -> RequestBuilder {
    let path = "/api/v4/projects/4242/pipeline";
    let request = request(sandbox, "POST", path).header("PRIVATE-TOKEN", demo::GITLAB_DEVELOPER);
    request.json(json!({"ref": "main"}))
}

fn with_fault(fault: Fault) -> Sandbox {
    let sandbox = start();
    sandbox.fault(Route::triggers(), Occasion::Nth(1), fault);
    sandbox
}

#[test]
fn a_reset_happens_before_or_after_acting() {
    for (moment, runs) in [(Moment::BeforeActing, 0), (Moment::AfterActing, 1)] {
        let sandbox = with_fault(Fault::Reset(moment));
        let error = trigger(&sandbox).try_send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(sandbox.runs().len(), runs);
        assert_eq!(sandbox.requests()[0].response, RecordedResponse::Reset);
        assert_eq!(trigger(&sandbox).send().status, 201);
    }
}

#[test]
fn a_close_sends_no_response() {
    for (moment, runs) in [(Moment::BeforeActing, 0), (Moment::AfterActing, 1)] {
        let sandbox = with_fault(Fault::Close(moment));
        let error = trigger(&sandbox).try_send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(sandbox.runs().len(), runs);
        assert_eq!(sandbox.requests()[0].response, RecordedResponse::Closed);
    }
}

#[test]
fn a_hang_up_follows_a_response_that_does_not_announce_it() {
    for hang_up in [HangUp::Close, HangUp::Reset, HangUp::ResetAtNextRequest] {
        let sandbox = with_fault(Fault::HangUp(hang_up));
        let request = trigger(&sandbox).bytes();
        let request = request.replace("Connection: close\r\n", "");
        let mut stream = TcpStream::connect(("127.0.0.1", sandbox.http_port())).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        // Reads the first response up to the end of its body; the connection may end with it.
        let mut response = Vec::new();
        while !response.ends_with(b"}") {
            let mut some = [0; 4096];
            let read = stream.read(&mut some).unwrap();
            assert_ne!(read, 0, "{hang_up:?}");
            response.extend_from_slice(&some[..read]);
        }
        let response = String::from_utf8(response).unwrap().to_lowercase();
        assert!(
            response.starts_with("http/1.1 201"),
            "{hang_up:?} {response}"
        );
        assert!(!response.contains("connection:"), "{hang_up:?} {response}");
        if hang_up == HangUp::ResetAtNextRequest {
            stream.write_all(request.as_bytes()).unwrap();
        }
        let rest = stream.read(&mut [0; 1]).map_err(|error| error.kind());
        let expected = match hang_up {
            HangUp::Close => Ok(0),
            HangUp::Reset | HangUp::ResetAtNextRequest => Err(ErrorKind::ConnectionReset),
        };
        assert_eq!(rest, expected, "{hang_up:?}");
        assert_eq!(sandbox.requests().len(), 1, "{hang_up:?}");
        assert_eq!(sandbox.runs().len(), 1, "{hang_up:?}");
    }
}

#[test]
fn delays_apply_before_or_after_acting_and_combine_with_other_faults() {
    let late = Duration::from_millis(150);
    let sandbox = with_fault(Fault::Delay(Moment::BeforeActing, late));
    let moment = Moment::AfterActing;
    sandbox.fault(
        Route::triggers(),
        Occasion::Nth(1),
        Fault::Delay(moment, late),
    );
    sandbox.fault(
        Route::triggers(),
        Occasion::Nth(1),
        Fault::status(moment, 502),
    );
    let began = Instant::now();
    assert_eq!(trigger(&sandbox).send().status, 502);
    assert!(began.elapsed() >= late * 2);
    assert_eq!(sandbox.runs().len(), 1);
}

#[test]
fn a_client_that_gives_up_does_not_stop_a_slow_server() {
    use std::io::Write as _;
    let sandbox = with_fault(Fault::Delay(
        Moment::BeforeActing,
        Duration::from_millis(200),
    ));
    let mut stream = TcpStream::connect(("127.0.0.1", sandbox.http_port())).unwrap();
    stream
        .write_all(trigger(&sandbox).bytes().as_bytes())
        .unwrap();
    while sandbox.requests().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    drop(stream);
    assert!(sandbox.runs().is_empty());
    let deadline = Instant::now() + Duration::from_secs(10);
    while sandbox.runs().is_empty() {
        assert!(Instant::now() < deadline, "the run was never started");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn any_response_can_replace_the_providers() {
    let hostile =
        Response::body(200, "application/json", *b"\xff\x00::error::no").header("X-Odd", 1);
    for (moment, runs) in [(Moment::BeforeActing, 0), (Moment::AfterActing, 1)] {
        let sandbox = with_fault(Fault::Response(moment, hostile.clone()));
        let response = trigger(&sandbox).send();
        assert_eq!(
            (response.status, response.body.as_slice()),
            (200, hostile.body.as_slice())
        );
        assert_eq!(response.headers.get("x-odd"), Some("1"));
        assert_eq!(sandbox.runs().len(), runs);
        assert_eq!(
            sandbox.requests()[0].response,
            RecordedResponse::Status(200)
        );
    }
}

#[test]
fn an_edit_changes_the_response() {
    let sandbox = with_fault(Fault::Edit(|response| response["id"] = json!("odd")));
    let response = trigger(&sandbox).send();
    assert_eq!(response.status, 201);
    let body = response.json();
    assert_eq!(body["id"], "odd");
    assert_eq!(body["ref"], "main");
    assert_eq!(sandbox.runs().len(), 1);
}

#[test]
fn a_fault_can_match_only_a_query() {
    let sandbox = start();
    let route = Route::any().query("per_page=100");
    let fault = Fault::status(Moment::BeforeActing, 502);
    sandbox.fault(route, Occasion::Every, fault);
    for (size, status) in [(100, 502), (10, 200)] {
        let path = format!("/api/v4/projects/4242/pipelines?per_page={size}");
        let request =
            request(&sandbox, "GET", &path).header("PRIVATE-TOKEN", demo::GITLAB_DEVELOPER);
        assert_eq!(request.send().status, status);
    }
}

#[test]
fn a_truncated_body_announces_more_than_it_sends() {
    use std::io::{Read as _, Write as _};
    let sandbox = with_fault(Fault::Truncate);
    let mut stream = TcpStream::connect(("127.0.0.1", sandbox.http_port())).unwrap();
    stream
        .write_all(trigger(&sandbox).bytes().as_bytes())
        .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 201"), "{response}");
    assert!(response.contains("\r\n\r\n{\"id\":"), "{response}");
    assert!(!response.ends_with('}'));
    assert_eq!(sandbox.runs().len(), 1);

    let sandbox = with_fault(Fault::Truncate);
    let error = trigger(&sandbox).try_send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn a_huge_body_has_its_announced_length() {
    let length = 20 * 1024 * 1024 + 1;
    let sandbox = with_fault(Fault::Huge {
        moment: Moment::BeforeActing,
        status: 201,
        length,
    });
    let response = trigger(&sandbox).send();
    assert_eq!(response.body.len() as u64, length);
    assert!(sandbox.runs().is_empty());
}

#[test]
fn a_slow_body_arrives_completely_byte_by_byte() {
    let sandbox = with_fault(Fault::Slow(Duration::from_millis(1)));
    let began = Instant::now();
    let response = trigger(&sandbox).send();
    let length = u32::try_from(response.body.len()).unwrap();
    assert!(began.elapsed() >= Duration::from_millis(1) * length);
    assert!(response.text().ends_with('}'));
    assert_eq!((response.status, sandbox.runs().len()), (201, 1));
}

/// Reads at least `min` bytes from the wire, or all of them.
fn received(sandbox: &Sandbox, min: usize) -> Vec<u8> {
    use std::io::{Read as _, Write as _};
    let mut stream = TcpStream::connect(("127.0.0.1", sandbox.http_port())).unwrap();
    let request = trigger(sandbox).bytes();
    stream.write_all(request.as_bytes()).unwrap();
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer)
        && received.len() < min
    {
        received.extend_from_slice(&buffer[..read]);
    }
    received
}

#[test]
fn malformed_bytes_replace_the_response() {
    let millisecond = Duration::from_millis(1);
    for (malformed, start, min) in [
        (MalformedResponse::garbage(), "220 mail", 40),
        (
            MalformedResponse::endless_headers(),
            "HTTP/1.1 200 OK\r\nX-M",
            1_000_000,
        ),
        (
            MalformedResponse::endless_header_line(),
            "HTTP/1.1 200 OK\r\nX-L",
            1_000_000,
        ),
        (
            MalformedResponse::slow_headers(millisecond),
            "HTTP/1.1 200 OK\r\nX-S",
            200,
        ),
    ] {
        for (moment, runs) in [(Moment::BeforeActing, 0), (Moment::AfterActing, 1)] {
            let sandbox = with_fault(Fault::Malformed(moment, malformed.clone()));
            let received = received(&sandbox, min);
            assert!(received.starts_with(start.as_bytes()));
            assert!(received.len() >= min, "{start}: {}", received.len());
            assert_eq!(sandbox.runs().len(), runs);
            assert_eq!(sandbox.requests()[0].response, RecordedResponse::Malformed);
        }
    }
}

#[test]
fn rate_limits_look_like_those_of_the_providers() {
    let sandbox = start();
    let first = |fault| {
        sandbox.clear_faults();
        sandbox.fault(Route::triggers(), Occasion::First(1), fault);
        trigger(&sandbox).send()
    };
    let primary = first(Fault::github_primary_limit(429, 1_800_000_000));
    assert_eq!(primary.status, 429);
    assert_eq!(primary.headers.get("x-ratelimit-remaining"), Some("0"));
    assert_eq!(primary.headers.get("x-ratelimit-reset"), Some("1800000000"));
    let secondary = first(Fault::github_secondary_limit(Some(7)));
    assert_eq!(
        (secondary.status, secondary.headers.get("retry-after")),
        (403, Some("7"))
    );
    let message_only = first(Fault::github_secondary_limit(None));
    assert_eq!(message_only.headers.get("retry-after"), None);
    assert!(
        message_only
            .status_and_message()
            .1
            .contains("secondary rate limit")
    );
    let gitlab = first(Fault::gitlab_limit(Some(3)));
    assert_eq!(
        (gitlab.status, gitlab.text()),
        (429, "Retry later\n".to_owned())
    );
    assert_eq!(gitlab.headers.get("content-type"), Some("text/plain"));
    assert_eq!(first(Fault::bitbucket_limit(None)).status, 429);
    let redirect = first(Fault::redirect(307, "https://elsewhere.test/"));
    assert_eq!(
        redirect.headers.get("location"),
        Some("https://elsewhere.test/")
    );
    assert!(sandbox.runs().is_empty());
}

#[test]
fn routes_and_occasions_select_the_requests() {
    let sandbox = start();
    let broken = || Fault::status(Moment::BeforeActing, 500);
    let github = Route::any().provider(Provider::GitHub);
    sandbox.fault(github, Occasion::Every, broken());
    let reading = Route::any().method("GET").path("/pipelines");
    sandbox.fault(reading, Occasion::Every, broken());
    sandbox.fault(Route::triggers(), Occasion::Nth(2), broken());
    let triggered: Vec<u16> = (0..3).map(|_| trigger(&sandbox).send().status).collect();
    assert_eq!(triggered, [201, 500, 201]);
    let get = |path: &str| request(&sandbox, "GET", path).send().status;
    assert_eq!(get("/api/v4/projects/4242/pipelines"), 500);
    assert_eq!(get("/api/v4/projects/4242"), 200);
    assert_eq!(get("/api/v3/repos/octo-org/app"), 500);
    sandbox.clear_faults();
    assert_eq!(get("/api/v3/repos/octo-org/app"), 200);
}

#[test]
fn a_fault_can_last_for_a_duration() {
    let sandbox = start();
    let lists = Route::any().method("GET").path_end("/pipelines");
    let time = Duration::from_millis(200);
    let fault = Fault::status(Moment::BeforeActing, 502);
    sandbox.fault(lists, Occasion::For(time), fault);
    let read = |path: &str| {
        let request = request(&sandbox, "GET", &format!("/api/v4/projects/4242{path}"));
        request.bearer(demo::GITLAB_DEVELOPER).send().status
    };
    assert_eq!(read("/pipelines/?per_page=1"), 502);
    assert_eq!(read("/pipelines"), 502);
    assert_eq!(read("/pipelines/1"), 404, "not a list");
    thread::sleep(time);
    assert_eq!(read("/pipelines"), 200);
}
