//! As much HTTP/1.1 as a scraper needs: one request, its head only, and one answer. Bytes in, bytes out; no sockets.
//!
//! What is not understood is refused, never guessed at.

use super::text::MEDIA_TYPE;

/// Bytes of a request's head.
pub(super) const HEAD_BYTES_MAX: usize = 8 << 10;

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The metrics; `body` unless only the head was asked for.
    Metrics { body: bool },
    /// A status without metrics.
    Refusal(Status),
}

/// Why there are no metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    BadRequest,
    NotFound,
    MethodNotAllowed,
    HeadTooLarge,
    VersionNotSupported,
}

/// Looks at what has come so far. `None`: the head is not whole yet.
pub(super) fn understand(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    match end {
        Some(end) if end <= HEAD_BYTES_MAX => Some(answer(&bytes[..end])),
        None if bytes.len() <= HEAD_BYTES_MAX && is_text_so_far(bytes) => None,
        None if bytes.len() <= HEAD_BYTES_MAX => Some(Answer::Refusal(Status::BadRequest)),
        Some(_) | None => Some(Answer::Refusal(Status::HeadTooLarge)),
    }
}

/// No line feed without its carriage return, no other control character: whoever sends those speaks another language
/// and may wait for an answer for ever.
fn is_text_so_far(bytes: &[u8]) -> bool {
    let feeds = bytes.windows(2).all(|pair| pair[1] != b'\n' || pair[0] == b'\r');
    feeds
        && bytes.first() != Some(&b'\n')
        && bytes.iter().all(|&byte| byte >= b' ' && byte != 0x7f || b"\r\n\t".contains(&byte))
}

fn answer(head: &[u8]) -> Answer {
    read(head).unwrap_or_else(Answer::Refusal)
}

fn read(head: &[u8]) -> Result<Answer, Status> {
    let head = std::str::from_utf8(head).map_err(|_| Status::BadRequest)?;
    if !is_text_so_far(head.as_bytes()) {
        return Err(Status::BadRequest);
    }
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or("").split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Status::BadRequest);
    };
    if !is_token(method) || target.is_empty() {
        return Err(Status::BadRequest);
    }
    let is_1_1 = match version {
        "HTTP/1.1" => true,
        "HTTP/1.0" => false,
        other if other.starts_with("HTTP/") => return Err(Status::VersionNotSupported),
        _ => return Err(Status::BadRequest),
    };
    let mut hosts = 0;
    for line in lines {
        // A line that begins with a space would go on from the last one; nobody sends that any more.
        let (name, _) = line.split_once(':').ok_or(Status::BadRequest)?;
        if !is_token(name) || line.contains('\r') {
            return Err(Status::BadRequest);
        }
        hosts += u32::from(name.eq_ignore_ascii_case("host"));
    }
    if hosts > 1 || (is_1_1 && hosts == 0) {
        return Err(Status::BadRequest);
    }
    if path_of(target).ok_or(Status::BadRequest)? != "/metrics" {
        return Err(Status::NotFound);
    }
    match method {
        "GET" => Ok(Answer::Metrics { body: true }),
        "HEAD" => Ok(Answer::Metrics { body: false }),
        _ => Err(Status::MethodNotAllowed),
    }
}

/// The path of a target as a client (`/metrics?x`) or a client of a proxy (`http://host/metrics`) writes it.
fn path_of(target: &str) -> Option<&str> {
    let path = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    if path == "*" {
        return Some(path);
    }
    path.starts_with('/').then(|| path.split(['?', '#']).next().unwrap_or(path))
}

fn is_token(word: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !word.is_empty() && word.bytes().all(letter)
}

/// The bytes of an answer. `metrics` is asked only when they are wanted.
pub(crate) fn write(answer: Answer, metrics: impl FnOnce() -> String) -> Vec<u8> {
    let (status, kind, more, text, with_body) = match answer {
        Answer::Metrics { body } => ("200 OK", MEDIA_TYPE, "", metrics(), body),
        Answer::Refusal(status) => {
            let (line, more, text) = match status {
                Status::BadRequest => ("400 Bad Request", "", "this is no request\n"),
                Status::NotFound => ("404 Not Found", "", "the metrics are at /metrics\n"),
                Status::MethodNotAllowed => {
                    ("405 Method Not Allowed", "Allow: GET, HEAD\r\n", "metrics can only be read\n")
                }
                Status::HeadTooLarge => ("431 Request Header Fields Too Large", "", "that is too long\n"),
                Status::VersionNotSupported => {
                    ("505 HTTP Version Not Supported", "", "this speaks HTTP/1.1\n")
                }
            };
            (line, "text/plain; charset=utf-8", more, text.to_owned(), true)
        }
    };
    let length = text.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    if with_body {
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(head: &str) -> Option<Answer> {
        understand(head.as_bytes())
    }

    const GET: Option<Answer> = Some(Answer::Metrics { body: true });

    fn refused(status: Status) -> Option<Answer> {
        Some(Answer::Refusal(status))
    }

    #[test]
    fn metrics_are_got_by_those_who_ask_well() {
        assert_eq!(told("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n"), GET);
        assert_eq!(told("GET /metrics?format=x HTTP/1.0\r\n\r\n"), GET);
        assert_eq!(told("GET http://localhost:9184/metrics HTTP/1.1\r\nhost: localhost:9184\r\n\r\n"), GET);
        let head = Some(Answer::Metrics { body: false });
        assert_eq!(told("HEAD /metrics HTTP/1.1\r\nHost:\r\n\r\n"), head);
    }

    #[test]
    fn an_unfinished_head_is_waited_for() {
        let whole = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
        for cut in 0..whole.len() {
            assert_eq!(told(&whole[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn others_are_told_what_is_wrong() {
        let host = |line: &str| told(&format!("{line}\r\nHost: x\r\n\r\n"));
        assert_eq!(host("GET / HTTP/1.1"), refused(Status::NotFound));
        assert_eq!(host("POST / HTTP/1.1"), refused(Status::NotFound));
        assert_eq!(host("OPTIONS * HTTP/1.1"), refused(Status::NotFound));
        assert_eq!(host("GET /metrics/ HTTP/1.1"), refused(Status::NotFound));
        assert_eq!(host("POST /metrics HTTP/1.1"), refused(Status::MethodNotAllowed));
        assert_eq!(host("get /metrics HTTP/1.1"), refused(Status::MethodNotAllowed));
        assert_eq!(host("GET /metrics HTTP/2.0"), refused(Status::VersionNotSupported));
        for line in
            ["GET /metrics", "GET  /metrics HTTP/1.1", "GET metrics HTTP/1.1", "", "G\u{e4}T / HTTP/1.1"]
        {
            assert_eq!(host(line), refused(Status::BadRequest), "{line}");
        }
        for head in [
            "GET /metrics HTTP/1.1\r\n\r\n",
            "GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET /metrics HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            "GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET /metrics HTTP/1.1\nHost: a\n\n",
            "GET /metrics HTTP/1.1\r\nHost: a\0\r\n\r\n",
            "{\"method\":\"io.tally.Ping\"}\0",
            "\u{16}\u{3}\u{1}",
        ] {
            assert_eq!(told(head), refused(Status::BadRequest), "{head}");
        }
        let long = format!("GET /metrics HTTP/1.1\r\nHost: {}", "x".repeat(HEAD_BYTES_MAX));
        assert_eq!(told(&long), refused(Status::HeadTooLarge));
        assert_eq!(told(&format!("{long}\r\n\r\n")), refused(Status::HeadTooLarge));
    }

    #[test]
    fn answers_say_how_long_they_are() {
        let text = |answer| String::from_utf8(write(answer, || "x 1\n# EOF\n".to_owned())).unwrap();
        let body = text(Answer::Metrics { body: true });
        assert!(
            body.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0")
        );
        assert!(body.ends_with("Content-Length: 10\r\nConnection: close\r\n\r\nx 1\n# EOF\n"), "{body}");
        let head = text(Answer::Metrics { body: false });
        assert_eq!(head.len() + 10, body.len());
        assert!(text(Answer::Refusal(Status::MethodNotAllowed)).contains("\r\nAllow: GET, HEAD\r\n"));
    }
}
