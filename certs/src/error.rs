//! What can go wrong with certificates, whose fault it is, and what to do about it.

use std::path::PathBuf;

use openssl::error::ErrorStack;

/// Who can put it right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Whoever gave us the certificate, request, key or name.
    Input,
    /// The authority's own certificate or key: the operator's.
    Authority,
    /// This machine: its disk or its OpenSSL.
    Machine,
}

/// A certificate that could not be made, signed, renewed, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No PEM block at all where one was expected.
    #[error(
        "expected PEM with a {expected} block, found no PEM block. hint: the file starts with \"-----BEGIN {expected}-----\" when it is right"
    )]
    NotPem {
        /// The label that was looked for.
        expected: &'static str,
    },
    /// PEM of something else.
    #[error("expected PEM with a {expected} block, got {got}. hint: {}", hint_for_label(.got))]
    WrongPem {
        /// The label that was looked for.
        expected: &'static str,
        /// The label of the first block, printable.
        got: String,
    },
    /// Larger than what we read.
    #[error(
        "the {what} has {size} {unit}, at most {size_max} are read. hint: give the one file that is meant"
    )]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// How large it was.
        size: usize,
        /// The bound.
        size_max: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// Bytes that are not what they should be.
    #[error(
        "the {what} given cannot be read: {reason}. hint: it may be cut short or changed; export it again"
    )]
    Unreadable {
        /// What was being read.
        what: &'static str,
        /// What OpenSSL or we say of it.
        reason: String,
    },
    /// A private key behind a pass phrase.
    #[error(
        "the private key given is encrypted, expected an unencrypted one. hint: openssl pkey -in KEY -out PLAIN_KEY"
    )]
    EncryptedKey,
    /// A request whose signature its own key does not confirm.
    #[error(
        "the certificate request given is not signed by the key it names: it was changed after it was made. hint: make a new request"
    )]
    RequestSignature,
    /// A public key that is too weak or of a kind TLS does not use here.
    #[error(
        "the key given is {got}, expected RSA of at least {} bits, P-256, P-384 or P-521. hint: make a new key and request",
        crate::RSA_BITS_MIN
    )]
    WeakKey {
        /// What it is.
        got: String,
    },
    /// A subject that names nobody.
    #[error("the subject given is empty. hint: give a common name")]
    EmptySubject,
    /// A subject that is the authority's own, which would make the certificate look self-signed.
    #[error("the subject given, {subject}, is the authority's own name. hint: choose another")]
    AuthoritysName {
        /// The subject.
        subject: String,
    },
    /// A common name that a certificate cannot carry.
    #[error(
        "the common name given, \"{name}\", {reason}. hint: 1 to {} printable characters",
        crate::COMMON_NAME_CHARS_MAX
    )]
    CommonName {
        /// The name, printable.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An alternative name that is neither an address nor a host name.
    #[error(
        "the alternative name given, \"{name}\", is neither an IP address nor a host name. hint: 192.0.2.7, 2001:db8::7 or kms.example.test"
    )]
    AltName {
        /// The name, printable.
        name: String,
    },
    /// A certificate for a server without an address to be reached at.
    #[error(
        "a {profile} certificate needs at least one address or host name, got none. hint: give the addresses clients connect to, that of the virtual IP too"
    )]
    NoAltNames {
        /// The profile that needs them.
        profile: crate::Profile,
    },
    /// Days of validity outside what a certificate can say.
    #[error(
        "a certificate from {now} for {days} days cannot be written. hint: 1 to {} days, and a clock that is right",
        crate::profile::DAYS_MAX
    )]
    Validity {
        /// Now, Unix seconds.
        now: i64,
        /// The days asked for.
        days: u32,
    },
    /// The profile is one that only the authority itself has.
    #[error(
        "an authority signs no other authority (path length 0). hint: create a second authority of its own"
    )]
    ProfileOfAuthority,
    /// The authority's key belongs to another certificate.
    #[error(
        "the authority's private key is not that of its certificate {subject}. hint: ca.pem and ca.key come from one directory"
    )]
    KeyMismatch {
        /// The subject of the authority's certificate.
        subject: String,
    },
    /// A certificate that may not sign others.
    #[error(
        "the certificate {subject} is no authority (basicConstraints without CA:TRUE). hint: give the CA's certificate, not a server's"
    )]
    NotAnAuthority {
        /// Its subject.
        subject: String,
    },
    /// The authority's certificate has ended or not begun.
    #[error("the authority {subject} cannot sign now: {source}")]
    AuthorityDates {
        /// Its subject.
        subject: String,
        /// Which end.
        source: crate::DateError,
    },
    /// A certificate to renew that another authority signed.
    #[error(
        "the certificate {subject} was not signed by this authority: expected issuer {expected}, got {got}. hint: renew it where it was issued"
    )]
    OtherAuthority {
        /// Subject of the certificate.
        subject: String,
        /// This authority's name.
        expected: String,
        /// Issuer in the certificate.
        got: String,
    },
    /// A certificate to renew that was made for something else.
    #[error(
        "the certificate {subject} is not a {expected} certificate: its extended key usages are [{got}]. hint: name the profile it was issued with"
    )]
    OtherProfile {
        /// Subject of the certificate.
        subject: String,
        /// The profile asked for.
        expected: crate::Profile,
        /// What the certificate holds.
        got: String,
    },
    /// A file that must not be replaced.
    #[error("{} is there already and is kept. hint: move it away first if it is really to be replaced", path.display())]
    AlreadyThere {
        /// The file.
        path: PathBuf,
    },
    /// The disk said no.
    #[error("{doing} {}: {source}. hint: see that the directory exists, is ours and has room", path.display())]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// OpenSSL failed at what it should be able to do.
    #[error("OpenSSL failed while {doing}: {source}")]
    OpenSsl {
        /// What was being done.
        doing: &'static str,
        /// What it said.
        source: ErrorStack,
    },
}

impl Error {
    /// Who can put it right.
    pub fn fault(&self) -> Fault {
        match self {
            Error::NotPem { .. }
            | Error::WrongPem { .. }
            | Error::TooLarge { .. }
            | Error::Unreadable { .. }
            | Error::EncryptedKey
            | Error::RequestSignature
            | Error::WeakKey { .. }
            | Error::EmptySubject
            | Error::AuthoritysName { .. }
            | Error::CommonName { .. }
            | Error::AltName { .. }
            | Error::NoAltNames { .. }
            | Error::Validity { .. }
            | Error::ProfileOfAuthority
            | Error::OtherAuthority { .. }
            | Error::OtherProfile { .. }
            | Error::AlreadyThere { .. } => Fault::Input,
            Error::KeyMismatch { .. } | Error::NotAnAuthority { .. } | Error::AuthorityDates { .. } => {
                Fault::Authority
            }
            Error::Disk { .. } | Error::OpenSsl { .. } => Fault::Machine,
        }
    }
}

/// Turns what OpenSSL says into our error, with what was being done.
pub(crate) fn while_doing(doing: &'static str) -> impl FnOnce(ErrorStack) -> Error {
    move |source| Error::OpenSsl { doing, source }
}

/// Turns what OpenSSL says of someone's bytes into our error.
pub(crate) fn unreadable(what: &'static str) -> impl FnOnce(ErrorStack) -> Error {
    move |stack| {
        let reason = stack.errors().first().and_then(|error| error.reason());
        Error::Unreadable { what, reason: reason.unwrap_or("not in the expected form").to_owned() }
    }
}

/// Whether OpenSSL confirmed a signature. A refusal leaves its reasons in the thread's queue, where the next
/// failure would be taken for theirs: they are dropped.
pub(crate) fn confirmed(verdict: Result<bool, ErrorStack>) -> bool {
    let confirmed = matches!(verdict, Ok(true));
    if !confirmed {
        drop(ErrorStack::get());
    }
    confirmed
}

fn hint_for_label(label: &str) -> &'static str {
    match label {
        "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" => {
            "that is a certificate; to trust it as it is, add it as one"
        }
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
            "that is a request to sign, not yet a certificate"
        }
        label if label.ends_with("PRIVATE KEY") => {
            "that is a private key; keep it where it is and give the other file"
        }
        _ => "give the right file",
    }
}
