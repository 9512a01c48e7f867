//! Who did what to which object: one line per batch item, written before the answer leaves. Never key material.
//!
//! With `[audit] file` the lines are JSON, appended to that file; else they are log events with target "audit". A
//! line that cannot be written fails its request: an operation nobody can account for is not answered.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use daemon::log::Format;
use serde::Serialize;

use crate::certificate::{UnixSeconds, utc};

/// Characters of a Unique Identifier that are kept; a client may send any text there.
pub const IDENTIFIER_CHARACTERS_MAX: usize = 128;

/// Bytes that a line takes as a rule; a longer one costs a copy.
const LINE_BYTES_USUAL: usize = 320;

/// One batch item.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// When it was decided.
    pub time: UnixSeconds,
    /// The client's name; "-" for a stranger.
    pub client: &'a str,
    /// Its tenant; "-" for a stranger.
    pub tenant: &'a str,
    /// The address it came from; none for the operator's own socket.
    pub address: Option<SocketAddr>,
    /// The operation, as the specification names it.
    pub operation: &'a str,
    /// The object, where the request or the answer names one.
    pub unique_identifier: Option<&'a str>,
    /// Result Status, as the specification names it.
    pub result_status: &'a str,
    /// Result Reason, where there is one.
    pub result_reason: Option<&'a str>,
    /// Bytes of the whole Request Message.
    pub message_bytes: usize,
    /// Whether it was answered, or refused, by a node that reached no majority; said only where it is so.
    pub without_quorum: bool,
    /// The client's word for the message (Client Correlation Value), where it has one.
    pub client_correlation: Option<&'a str>,
    /// Ours (Server Correlation Value), where the answer holds one.
    pub server_correlation: Option<&'a str>,
}

#[derive(Serialize)]
struct Record<'a> {
    time: String,
    client: &'a str,
    tenant: &'a str,
    address: Option<SocketAddr>,
    operation: &'a str,
    unique_identifier: Option<&'a str>,
    result_status: &'a str,
    result_reason: Option<&'a str>,
    message_bytes: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    without_quorum: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_correlation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_correlation: Option<&'a str>,
}

/// The same among the lines of a JSON log.
#[derive(Serialize)]
struct Logged<'a> {
    level: &'static str,
    target: &'static str,
    #[serde(flatten)]
    record: Record<'a>,
}

impl<'a> From<&Line<'a>> for Logged<'a> {
    fn from(line: &Line<'a>) -> Self {
        Self { level: "INFO", target: "audit", record: Record::from(line) }
    }
}

impl<'a> From<&Line<'a>> for Record<'a> {
    fn from(line: &Line<'a>) -> Self {
        Self {
            time: utc(line.time),
            client: line.client,
            tenant: line.tenant,
            address: line.address,
            operation: line.operation,
            unique_identifier: line.unique_identifier.map(cut),
            result_status: line.result_status,
            result_reason: line.result_reason,
            message_bytes: line.message_bytes,
            without_quorum: line.without_quorum,
            client_correlation: line.client_correlation.map(cut),
            server_correlation: line.server_correlation,
        }
    }
}

/// Why a line is not in the audit.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the audit file {}: {error}; hint: requests fail until it can be written", path.display())]
pub struct AuditError {
    path: PathBuf,
    error: io::Error,
}

/// Where the lines go.
#[derive(Debug)]
pub struct Audit {
    sink: Sink,
    /// The second that was written last, as text.
    second: Mutex<(UnixSeconds, Arc<str>)>,
}

#[derive(Debug)]
enum Sink {
    Log { format: Format, file: File },
    File { path: PathBuf, file: RwLock<File> },
}

impl Audit {
    /// To the log, in its form, whatever its level.
    ///
    /// Fails where standard error is closed.
    pub fn to_log(format: Format) -> Result<Self, AuditError> {
        // A handle of our own, as the one of the library makes threads wait for each other around the write.
        let file = io::stderr().as_fd().try_clone_to_owned().map_err(of_the_log)?.into();
        Ok(Self { sink: Sink::Log { format, file }, second: Mutex::default() })
    }

    /// Appends to `path`, made with mode 0600 when it is not there.
    pub fn to_file(path: &Path) -> Result<Self, AuditError> {
        let file = open(path)?;
        Ok(Self {
            sink: Sink::File { path: path.to_owned(), file: RwLock::new(file) },
            second: Mutex::default(),
        })
    }

    /// Opens the file again under its name, after it was rotated away.
    pub fn reopen(&self) -> Result<(), AuditError> {
        if let Sink::File { path, file } = &self.sink {
            let fresh = open(path)?;
            *file.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
        Ok(())
    }

    /// Writes the lines of one message, in one write. When this fails the message must fail.
    pub fn write(&self, lines: &[Line<'_>]) -> Result<(), AuditError> {
        match &self.sink {
            Sink::Log { format, file } => {
                let mut text = String::with_capacity(lines.len() * LINE_BYTES_USUAL);
                for line in lines {
                    match format {
                        Format::Text => push_text(&mut text, line, &self.time(line.time)),
                        Format::Json => push_json(&mut text, &Logged::from(line)).map_err(of_the_log)?,
                    }
                }
                // In one write, which the system keeps whole, so that lines of several threads do not mix.
                (&*file).write_all(text.as_bytes()).map_err(of_the_log)
            }
            Sink::File { path, file } => {
                let failed = |error| AuditError { path: path.clone(), error };
                let mut text = String::with_capacity(lines.len() * LINE_BYTES_USUAL);
                for line in lines {
                    push_json(&mut text, &Record::from(line)).map_err(failed)?;
                }
                let file = file.read().unwrap_or_else(PoisonError::into_inner);
                (&*file).write_all(text.as_bytes()).map_err(failed)
            }
        }
    }

    /// A second as text; the same one is asked for again and again.
    fn time(&self, seconds: UnixSeconds) -> Arc<str> {
        let mut known = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != seconds || known.1.is_empty() {
            *known = (seconds, utc(seconds).into());
        }
        Arc::clone(&known.1)
    }
}

fn of_the_log(error: io::Error) -> AuditError {
    AuditError { path: PathBuf::from("of the log"), error }
}

fn push_json(out: &mut String, record: &impl Serialize) -> io::Result<()> {
    out.push_str(&serde_json::to_string(record)?);
    out.push('\n');
    Ok(())
}

fn open(path: &Path) -> Result<File, AuditError> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| AuditError { path: path.to_owned(), error })
}

/// Appends a line as the log would show it, without the log's own cost: it is written for every item of every request.
fn push_text(out: &mut String, line: &Line<'_>, time: &str) {
    out.push_str(time);
    out.push_str("  INFO audit:");
    push_quoted(out, "client", line.client);
    push_quoted(out, "tenant", line.tenant);
    if let Some(address) = line.address {
        // Writing to a String cannot fail.
        let _ = write!(out, " address={address}");
    }
    push_quoted(out, "operation", line.operation);
    if let Some(id) = line.unique_identifier {
        push_quoted(out, "unique_identifier", cut(id));
    }
    push_quoted(out, "result_status", line.result_status);
    if let Some(reason) = line.result_reason {
        push_quoted(out, "result_reason", reason);
    }
    let quorum = if line.without_quorum { " without_quorum=true" } else { "" };
    let _ = write!(out, " message_bytes={}{quorum}", line.message_bytes);
    if let Some(value) = line.client_correlation {
        push_quoted(out, "client_correlation", cut(value));
    }
    if let Some(value) = line.server_correlation {
        push_quoted(out, "server_correlation", value);
    }
    out.push('\n');
}

/// A field that no text can break out of.
fn push_quoted(out: &mut String, name: &str, text: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        out.push_str(text);
    } else {
        out.extend(text.escape_debug());
    }
    out.push('"');
}

fn cut(text: &str) -> &str {
    match text.char_indices().nth(IDENTIFIER_CHARACTERS_MAX) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn line(unique_identifier: &str) -> Line<'_> {
        Line {
            time: 0,
            client: "vc01",
            tenant: "lab",
            address: Some(([192, 0, 2, 7], 40_000).into()),
            operation: "Get",
            unique_identifier: Some(unique_identifier),
            result_status: "Success",
            result_reason: None,
            message_bytes: 152,
            without_quorum: false,
            client_correlation: None,
            server_correlation: None,
        }
    }

    #[test]
    fn each_batch_item_is_one_line_that_no_identifier_can_break() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let audit = Audit::to_file(&path).unwrap();
        let long = "x".repeat(5000);
        audit.write(&[line("a\nforged \"line\""), line(&long)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let records: Vec<serde_json::Value> =
            text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(records.len(), 2);
        assert_eq!(records[0]["unique_identifier"], "a\nforged \"line\"");
        assert_eq!(records[0]["address"], "192.0.2.7:40000");
        assert_eq!(records[0]["time"], "1970-01-01T00:00:00Z");
        assert_eq!(records[1]["unique_identifier"].as_str().unwrap().len(), IDENTIFIER_CHARACTERS_MAX);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_line_in_the_log_is_one_line_that_no_identifier_can_break() {
        let mut text = String::new();
        push_text(&mut text, &line("a\nforged \"line\" \u{202e}"), "1970-01-01T00:00:00Z");
        assert_eq!(
            text,
            "1970-01-01T00:00:00Z  INFO audit: client=\"vc01\" tenant=\"lab\" address=192.0.2.7:40000 \
             operation=\"Get\" unique_identifier=\"a\\nforged \\\"line\\\" \\u{202e}\" result_status=\"Success\" \
             message_bytes=152\n"
        );
    }

    #[test]
    fn a_line_holds_both_correlation_values_and_no_more_of_the_clients_than_of_an_identifier() {
        let long = "c".repeat(5000);
        let correlated =
            Line { client_correlation: Some(&long), server_correlation: Some("s1"), ..line("1") };
        let kept = "c".repeat(IDENTIFIER_CHARACTERS_MAX);
        let mut text = String::new();
        push_text(&mut text, &correlated, "1970-01-01T00:00:00Z");
        assert!(
            text.ends_with(&format!(" client_correlation=\"{kept}\" server_correlation=\"s1\"\n")),
            "{text}"
        );
        let record = serde_json::to_value(Record::from(&correlated)).unwrap();
        assert_eq!(
            (&record["client_correlation"], &record["server_correlation"]),
            (&kept.into(), &"s1".into())
        );
    }

    #[test]
    fn a_rotated_file_is_followed_by_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let audit = Audit::to_file(&path).unwrap();
        audit.write(&[line("1")]).unwrap();
        std::fs::rename(&path, dir.path().join("audit.log.1")).unwrap();
        audit.reopen().unwrap();
        audit.write(&[line("2")]).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains("\"unique_identifier\":\"2\""));
    }

    #[test]
    fn a_line_that_cannot_be_written_is_an_error() {
        if !Path::new("/dev/full").exists() {
            println!("skipped: no /dev/full here");
            return;
        }
        let audit = Audit::to_file(Path::new("/dev/full")).unwrap();
        assert!(audit.write(&[line("1")]).unwrap_err().to_string().contains("audit file /dev/full"));
    }
}
