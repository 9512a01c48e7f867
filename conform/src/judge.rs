//! Runs one case: sends what it asks, compares what comes, and afterwards takes away what the server made for it.
//!
//! Knows the server by the wire alone.

pub(crate) mod clean;
#[cfg(test)]
mod tests;

use kmip::ProtocolVersion;
use ttlv::{Limits, Node};

use super::case::{Case, Exchange};
use super::compare::{self, Difference, Known};
use super::placeholder::Unbound;
pub use clean::{Leftovers, message};

/// Bytes of the largest answer that is taken. 4 MiB, the client's own bound.
const RESPONSE_BYTES_MAX: usize = kmip::client::RESPONSE_BYTES_MAX_DEFAULT;

/// Why a case is not run in which the server asks.
pub const UNHEARD: &str = "not for this transport: the server asks and the client answers";

/// Whoever takes a message and brings the answer.
pub trait Wire {
    /// A case begins, which may ask to be carried in an encoding over HTTPS, or have the server ask: it gets a connection
    /// of its own, where there are connections. Or why it cannot be run here.
    fn begin(&mut self, case: &Case) -> Result<(), String> {
        match case.encoding {
            Some(_) => Err("not for this transport: it asks for HTTPS, JSON or XML".to_owned()),
            None if case.is_asked() => Err(UNHEARD.to_owned()),
            None => Ok(()),
        }
    }

    /// The server's next question to its client; or why there is none.
    fn hear(&mut self) -> impl Future<Output = Result<Vec<u8>, String>> + Send {
        async { Err(UNHEARD.to_owned()) }
    }

    /// The client's answer to it.
    fn reply(&mut self, _answer: &[u8]) -> impl Future<Output = Result<(), String>> + Send {
        async { Err(UNHEARD.to_owned()) }
    }

    /// One question, one answer; or why there is none, for people.
    fn ask(&mut self, request: &[u8]) -> impl Future<Output = Result<Vec<u8>, String>> + Send;
}

/// One exchange as it went, for `--show`.
#[derive(Debug)]
pub struct Step {
    /// As it was sent.
    pub request: Node,
    /// `None` where no answer came, or one that is no TTLV.
    pub response: Option<Node>,
}

/// How a case went.
#[derive(Debug)]
pub struct Verdict {
    /// The first difference; `None` where all is as expected.
    pub difference: Option<Difference>,
    /// Up to the first difference.
    pub steps: Vec<Step>,
}

/// Runs a case that begins at `now`, in seconds since 1970, up to its first difference. What the server made for it
/// goes to `leftovers`.
pub async fn run(
    version: ProtocolVersion,
    exchanges: &[Exchange],
    wire: &mut impl Wire,
    leftovers: &mut Leftovers,
    now: i64,
) -> Verdict {
    let mut known = Known::new(version, now);
    known.made = std::mem::take(&mut leftovers.made);
    let mut steps = Vec::with_capacity(exchanges.len());
    let mut difference = None;
    for (at, exchange) in exchanges.iter().enumerate() {
        if let Err(found) = step(&mut known, at + 1, exchange, wire, leftovers, &mut steps).await {
            difference = Some(found);
            break;
        }
    }
    leftovers.made = known.made;
    Verdict { difference, steps }
}

/// An exchange in which the server asks: what it asks is compared, and answered as the case has it.
async fn heard(
    known: &mut Known,
    number: usize,
    exchange: &Exchange,
    wire: &mut impl Wire,
    steps: &mut Vec<Step>,
) -> Result<(), Difference> {
    let nothing =
        |got| Difference { path: format!("request {number}"), expected: "a request".to_owned(), got };
    let request = decode(&wire.hear().await.map_err(nothing)?).map_err(nothing)?;
    steps.push(Step { request: request.clone(), response: None });
    // Answered first: a server that gets no answer asks again.
    let answer = known.bindings.fill(&exchange.response).map_err(|Unbound(name)| Difference {
        path: format!("response {number}"),
        expected: format!("{name} from an earlier message"),
        got: "nothing has brought it".to_owned(),
    })?;
    wire.reply(&answer.encode()).await.map_err(nothing)?;
    compare::request(known, number, exchange, &request)
}

async fn step(
    known: &mut Known,
    number: usize,
    exchange: &Exchange,
    wire: &mut impl Wire,
    leftovers: &mut Leftovers,
    steps: &mut Vec<Step>,
) -> Result<(), Difference> {
    if exchange.from_server {
        return heard(known, number, exchange, wire, steps).await;
    }
    let request = known.bindings.fill(&exchange.request).map_err(|Unbound(name)| Difference {
        path: format!("request {number}"),
        expected: format!("{name} from an earlier response"),
        got: "nothing: no response has brought it".to_owned(),
    })?;
    let answer = wire.ask(&request.encode()).await;
    steps.push(Step { request, response: None });
    let no_answer =
        |got| Difference { path: format!("response {number}"), expected: "an answer".to_owned(), got };
    let response = decode(&answer.map_err(no_answer)?).map_err(no_answer)?;
    leftovers.note(&response);
    let compared = compare::response(known, number, exchange, &response);
    if let Some(step) = steps.last_mut() {
        step.response = Some(response);
    }
    compared
}

fn decode(bytes: &[u8]) -> Result<Node, String> {
    let limits = Limits { message_bytes_max: RESPONSE_BYTES_MAX, ..Limits::default() };
    Node::decode(bytes, limits).map_err(|error| format!("what is no TTLV message: {error}"))
}
