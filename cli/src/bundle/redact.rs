//! What does not go into a bundle: secrets, homes, and everything that jobs say.
//!
//! The daemon's state and its log name no data but in what somebody else has said: the reason of a failed job, a
//! worker's words, a source. These are cut wherever they may stand, and so is everything in quotes.

use serde_json::Value;

/// What stands where something was cut.
pub(super) const LEFT_OUT: &str = "(left out)";

/// Parts of names whose values are nobody else's.
const SECRET: [&str; 7] = ["token", "secret", "password", "passwd", "credential", "private", "apikey"];

/// Keys of JSON whose texts are words of others.
const SAID: [&str; 7] = ["fault", "why", "error", "stderr", "message", "store_error", "last_failure"];

/// What is to be cut.
#[derive(Clone, Debug, Default)]
pub(super) struct Redaction {
    home: Option<String>,
}

/// Whether a setting or variable of this name may be secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|part| name.contains(part))
}

impl Redaction {
    pub(super) fn of_this_process() -> Self {
        let home = std::env::var("HOME").ok().filter(|home| home.starts_with('/') && home.len() > 1);
        Self { home: home.map(|home| home.trim_end_matches('/').to_owned()) }
    }

    /// A text without names of homes and without passwords in addresses.
    pub(super) fn text(&self, text: &str) -> String {
        let text = match &self.home {
            Some(home) => text.replace(home, "~"),
            None => text.to_owned(),
        };
        without_passwords(&without_homes(&text))
    }

    /// A log without what jobs and workers say in it.
    pub(super) fn log(&self, text: &str) -> String {
        text.lines().map(|line| self.text(&quoted(&said(line))) + "\n").collect()
    }

    /// A JSON document whose texts of others are cut; findings of the self-test are our own words.
    pub(super) fn json(&self, text: &str) -> String {
        let Ok(mut value) = serde_json::from_str::<Value>(text) else { return self.log(text) };
        let ours = value["schema"] == "tally.self-test/1";
        self.walk(&mut value, ours);
        value.to_string() + "\n"
    }

    fn walk(&self, value: &mut Value, ours: bool) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    match value {
                        Value::String(text) if !text.is_empty() && is_secret(key) => {
                            LEFT_OUT.clone_into(text)
                        }
                        Value::String(text) if !ours && !text.is_empty() && SAID.contains(&key.as_str()) => {
                            *text = said(&quoted(text));
                        }
                        value => self.walk(value, ours),
                    }
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.walk(value, ours)),
            Value::String(text) => *text = self.text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Cuts what somebody else has said: behind these words a line belongs to a job or a worker.
fn said(line: &str) -> String {
    const BEFORE: [&str; 4] = ["; stderr:", "; it said:", " submits ", "TALLY_STDERR="];
    let cut = BEFORE.iter().filter_map(|words| Some(line.find(words)? + words.len())).min();
    // `j7 failed after 12 ms: why job=j7`
    let failed = line.find(" failed after ").and_then(|at| Some(at + line[at..].find(" ms")? + 3));
    match cut.into_iter().chain(failed.filter(|&at| line[at..].starts_with(':'))).min() {
        Some(at) => format!("{}: {LEFT_OUT}", line[..at].trim_end().trim_end_matches(':')),
        None => line.to_owned(),
    }
}

/// Cuts everything in quotes: names, cells, expressions.
fn quoted(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\'') {
        // An apostrophe has a letter before it.
        if before.ends_with(char::is_alphanumeric) {
            out.push_str(before);
            out.push('\'');
            rest = after;
            continue;
        }
        let end = after.rfind('\'').map_or("", |end| &after[end + 1..]);
        out.push_str(&format!("{before}'{LEFT_OUT}'"));
        rest = end;
    }
    out + rest
}

/// `/home/NAME` without the name.
fn without_homes(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/home/") {
        out.push_str(before);
        out.push_str("/home/~");
        rest = after.trim_start_matches(|c: char| c.is_alphanumeric() || "._-".contains(c));
    }
    out + rest
}

/// `scheme://user:password@host` without what stands before the `@`.
fn without_passwords(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = after.find(|c: char| c.is_whitespace() || "/\"'".contains(c)).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(at) => {
                out.push_str(LEFT_OUT);
                &after[at..]
            }
            None => after,
        };
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jobs_say_is_cut() {
        let redaction = Redaction { home: Some("/srv/ana".into()) };
        let log = |line: &str| redaction.log(line);
        assert_eq!(
            log("WARN j7 failed after 12 ms: could not add a.csv row 3: 'x' is not a number job=j7"),
            "WARN j7 failed after 12 ms: (left out)\n"
        );
        assert_eq!(
            log("WARN worker 0 (process 7) killed by SIGKILL at 0..5 of j1; stderr: secret"),
            "WARN worker 0 (process 7) killed by SIGKILL at 0..5 of j1; stderr: (left out)\n"
        );
        assert_eq!(
            log("DEBUG client 3 of user 0 submits sum of a.csv"),
            "DEBUG client 3 of user 0 submits: (left out)\n"
        );
        assert_eq!(log("the daemon's socket 'a 'b' c' is odd"), "the daemon's socket '(left out)' is odd\n");
        assert_eq!(log("j1 done after 3 ms job=j1"), "j1 done after 3 ms job=j1\n");
    }

    #[test]
    fn homes_and_passwords_are_cut() {
        let redaction = Redaction { home: Some("/srv/ana".into()) };
        assert_eq!(redaction.text("/srv/ana/x /home/bo.b/y /home/c"), "~/x /home/~/y /home/~");
        assert_eq!(redaction.text("https://a:b@c/d http://e/f@g"), "https://(left out)@c/d http://e/f@g");
        assert!(is_secret("TALLY_LOCK_TOKEN") && is_secret("db_password") && !is_secret("workers"));
    }

    #[test]
    fn texts_of_others_in_a_state_are_cut() {
        let redaction = Redaction::default();
        let state =
            r#"{"slots":[{"fault":"j1 failed after 3 ms: cell","my_token":"t","state":"busy","n":3}]}"#;
        assert_eq!(
            redaction.json(state),
            "{\"slots\":[{\"fault\":\"j1 failed after 3 ms: (left out)\",\"my_token\":\"(left out)\",\"n\":3,\"state\":\"busy\"}]}\n"
        );
        let ours = r#"{"schema":"tally.self-test/1","findings":[{"message":"'ulimit'","name":"x"}]}"#;
        assert!(redaction.json(ours).contains("'ulimit'"));
    }
}
