//! The three forms of a message in a body, each known by its Content-Type, to TTLV and back.

use hyper::header::{self, HeaderMap};
use kmip::Kmip;
use ttlv::{Limits, Node, json, xml};
use zeroize::{Zeroize as _, Zeroizing};

use super::TEXT_BYTES_PER_BYTE;

/// How a message is written in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Ttlv,
    Xml,
    Json,
}

/// A tree that is wiped: it may hold keys.
struct Wiped(Node);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.value.zeroize();
    }
}

impl Form {
    /// What a request's Content-Type names; parameters such as a charset are passed over.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let kind = text.split(';').next().unwrap_or_default().trim();
        [
            ("application/octet-stream", Self::Ttlv),
            ("text/xml", Self::Xml),
            ("application/xml", Self::Xml),
            ("application/json", Self::Json),
        ]
        .into_iter()
        .find(|(name, _)| kind.eq_ignore_ascii_case(name))
        .map(|(_, form)| form)
    }

    /// What an answer's Content-Type is.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Ttlv => "application/octet-stream",
            Self::Xml => "text/xml",
            Self::Json => "application/json",
        }
    }

    /// Bytes of a body of which the TTLV may have `request_bytes_max`.
    pub(super) fn body_bytes_max(self, request_bytes_max: usize) -> usize {
        match self {
            Self::Ttlv => request_bytes_max,
            Self::Xml | Self::Json => request_bytes_max.saturating_mul(TEXT_BYTES_PER_BYTE),
        }
    }

    /// The message as TTLV, or why it is none in this form. TTLV itself is handed on unread, as on the KMIP port.
    pub(super) fn ttlv(self, body: &[u8], limits: Limits) -> Result<Zeroizing<Vec<u8>>, String> {
        let text_bytes_max = self.body_bytes_max(limits.message_bytes_max);
        let limits = Limits { message_bytes_max: text_bytes_max, ..limits };
        let node = match self {
            Self::Ttlv => return Ok(Zeroizing::new(body.to_vec())),
            Self::Xml => {
                let text = std::str::from_utf8(body).map_err(|error| format!("it is no UTF-8: {error}"))?;
                xml::read_within(text, limits, &Kmip).map_err(|error| error.to_string())?
            }
            Self::Json => json::read(body, limits, &Kmip).map_err(|error| error.to_string())?,
        };
        Ok(Zeroizing::new(Wiped(node).0.encode()))
    }

    /// An answer in this form; none where there is no answer.
    pub(super) fn shown(self, answer: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
        if answer.is_empty() {
            return None;
        }
        if self == Self::Ttlv {
            return Some(answer);
        }
        // Our own answer, which has passed its own bound.
        let limits = Limits { message_bytes_max: answer.len(), depth_max: u8::MAX, items_max: u32::MAX };
        let node = Wiped(Node::decode(&answer, limits).ok()?);
        Some(Zeroizing::new(match self {
            Self::Json => json::write(&node.0, &Kmip),
            _ => xml::write(&node.0, &Kmip).into_bytes(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn of(content_type: &'static str) -> Option<Form> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Form::of(&headers)
    }

    #[test]
    fn a_content_type_names_its_form() {
        assert_eq!(of("application/octet-stream"), Some(Form::Ttlv));
        assert_eq!(of("text/xml; charset=utf-8"), Some(Form::Xml));
        assert_eq!(of("Application/XML"), Some(Form::Xml));
        assert_eq!(of(" application/json ;x=y"), Some(Form::Json));
        for other in ["text/plain", "application/jsonp", "", "application/x-www-form-urlencoded"] {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(Form::of(&HeaderMap::new()), None);
    }

    #[test]
    fn an_answer_is_the_same_in_each_form() {
        let node = Node::new(
            kmip::tag::RESPONSE_MESSAGE,
            ttlv::Value::Structure(vec![Node::new(kmip::tag::OPERATION, ttlv::Value::Enumeration(10))]),
        );
        for form in [Form::Ttlv, Form::Xml, Form::Json] {
            let shown = form.shown(Zeroizing::new(node.encode())).unwrap();
            assert_eq!(*form.ttlv(&shown, Limits::default()).unwrap(), node.encode(), "{form:?}");
            assert_eq!(form.shown(Zeroizing::default()), None);
        }
    }
}
