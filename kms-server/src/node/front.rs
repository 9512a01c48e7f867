//! What a node does for fronts: it answers the requests that they hand over for clients, and says what it can do.
//!
//! A front ends TLS and proves one thing, that the client holds the key of the leaf it presented. Who that is, and what
//! it may, is decided here for each request anew, as at this node's own port: the same trust, dates, bounds, texts and
//! audit lines, with the client's own address. An audit line stands for an answer that was made, so a request that was
//! answered by two nodes, as the first answer did not reach the front, has a line on each.
//!
//! # Once, whichever nodes are asked
//!
//! A front makes a token for each request and sends it with every sending of that request. What is carried out leaves
//! its answer in the log under the token, in the same entry; and whichever node is asked later, the leader that decides
//! has carried out the whole log before it. So of several sendings, one is carried out and the others get its answer:
//! also one that lay in a frozen node, and is taken up when that node wakes.
//!
//! Answers are not remembered for ever. `seen` is how many there had ever been before the front sent the request to
//! anybody. While no more than that are forgotten, all of them are older than the request, so a token that is not found
//! was not carried out. When more are, nobody can say, and it is never decided:
//!
//! - with `again` the client is told that it is no longer known whether it was carried out;
//! - without, the front is told [`Reply::Outrun`]. For a request of its own a node raises the count then and goes on: it
//!   alone knows the token. Here that would be the hole: a node that was frozen with a first sending, while another
//!   carried the second out, would wake when the answer is forgotten and carry it out again. Whether all its sendings came
//!   back without effect, as NOT_TAKEN or OUTRUN, only the front knows; only then may it send with the new count, and
//!   without `again` still.
//!
//! A `seen` that is too low, from a node that lags or long ago, costs an OUTRUN. It must never be too high: heard before
//! the request came, from a node of the same cluster.
//!
//! A refusal that changes nothing is not in the log as a rule. With `again` it is, or else a first sending that lies in
//! a frozen node might be carried out after its client was told that it failed. A request that only reads needs none of
//! this: it may be answered any number of times, so it goes by a token of this node's own and is never LOST.
//!
//! What is remembered is given out without another look at who asks, and may hold a key. So the token of the log is a
//! digest over the front's name, the client's leaf and the message too: one that was used before finds nothing with
//! any of them changed.
//!
//! # What a client can say of this
//!
//! Nothing. Certificate and token stand in the link's frame, in front of the message; the link takes such frames only from
//! a certificate of the cluster's CA that names a front. Inside a message there is no place for them: Authentication and
//! Message Extension are read as KMIP's, and nobody looks there for who a client is or whether a request came before.

use std::sync::Arc;
use std::time::Instant;

use kms_core::{Client, Token, is_read_only};
use openssl::sha::Sha256;
use tokio::time::timeout;
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::desk::{Desk, Who};
use super::front_ask::{self, HandedOver, Reply};
use super::state::Asker;
use super::taker::{Claim, Fate};
use crate::framing::{Judged, judge};
use crate::links::{FRONT_REQUEST, FRONT_STATUS};
use crate::session::{After, End, Peer};

impl Desk {
    /// Answers a question of the front with this common name.
    ///
    /// Fails, in words that the front reads, where the front made a mistake; nothing was done then.
    pub(super) async fn answer_front(
        &self,
        front: &str,
        kind: u8,
        question: Vec<u8>,
    ) -> Result<Vec<u8>, String> {
        let question = Zeroizing::new(question);
        match kind {
            FRONT_REQUEST => {
                let handed = front_ask::read(&question)?;
                Ok(self.answer_handed_over(front, &handed).await?.write())
            }
            FRONT_STATUS => serde_json::to_vec(&self.front_status()).map_err(|error| error.to_string()),
            other => Err(format!("a question of kind {other:#04x} is not answered to a front")),
        }
    }

    async fn answer_handed_over(&self, front: &str, handed: &HandedOver<'_>) -> Result<Reply, String> {
        let (address, request) = (handed.address, handed.message);
        let mut message = Zeroizing::new(Vec::new());
        match judge(request, &self.limits.ttlv) {
            Judged::Message(bytes) if bytes == request.len() => {}
            Judged::Message(_) | Judged::Incomplete => {
                return Err(format!(
                    "expected one whole KMIP message, got {} bytes that are more or less than that; hint: are front and \
                     nodes of one version?",
                    request.len()
                ));
            }
            Judged::Oversized { header, bytes } => {
                self.refuse_oversized(address, &header, &mut message);
                self.note_end(front, handed, &End::Oversized(bytes));
                return Ok(Reply::Answered { message, after: After::Close });
            }
            Judged::Garbage(why) => {
                self.note_end(front, handed, &End::Garbage(why));
                return Ok(Reply::Answered { message, after: After::Close });
            }
        }
        if *self.draining.borrow() {
            return Ok(Reply::NotTaken("this node is ending".to_owned()));
        }
        let client = match self.client_of(front, handed).await {
            Presented::Client(client) => client,
            Presented::Stranger => {
                let after = self.answer_stranger(address, request, &mut message);
                return Ok(Reply::Answered { message, after });
            }
            Presented::Unsure => {
                let why = "this node cannot say now whether the client's certificate is known";
                return Ok(Reply::NotTaken(why.to_owned()));
            }
        };
        Ok(self.answer_client(front, handed, Peer { client, address }, message).await)
    }

    /// Answers a message of a client that is known; `answer` is empty.
    async fn answer_client(
        &self,
        front: &str,
        handed: &HandedOver<'_>,
        peer: Peer,
        mut answer: Zeroizing<Vec<u8>>,
    ) -> Reply {
        let began = Instant::now();
        let request = handed.message;
        let who = Who::of(&peer, request.len());
        let Some(message) = self.read(who, request, &mut answer) else {
            return Reply::Answered { message: answer, after: After::KeepOpen };
        };
        if let Err(refusal) = self.check_credentials(&peer.client, &message).await {
            let outcome = self.failed(&message, &refusal);
            self.hand_over(who, &message, outcome, &mut answer, began);
            return Reply::Answered { message: answer, after: After::KeepOpen };
        }
        let claim = Claim { token: token(front, handed), again: handed.again, seen: handed.seen };
        let asker = Asker::registered(&peer.client);
        let taking = self.taker.take_for_front(&asker, &message, request, claim, handed.alone);
        match timeout(self.limits.connection.request_timeout, taking).await {
            Ok(Fate::Answered { outcome, without_quorum }) => {
                self.hand_over(Who { without_quorum, ..who }, &message, outcome, &mut answer, began);
                Reply::Answered { message: answer, after: After::KeepOpen }
            }
            Ok(Fate::Lost) => Reply::Lost,
            Ok(Fate::NotTaken(why)) => Reply::NotTaken(why.to_owned()),
            Ok(Fate::Outrun(seen)) => Reply::Outrun(seen),
            Err(_) if is_read_only(&message) => {
                Reply::NotTaken("the request was not answered within request_timeout_ms".to_owned())
            }
            Err(_) => Reply::Lost,
        }
    }

    /// Whom the certificates stand for. One that is not known here may have been registered just now: that is made sure
    /// of before anybody is refused for it, as another node may know better.
    async fn client_of(&self, front: &str, handed: &HandedOver<'_>) -> Presented {
        if handed.certificates.is_empty() {
            return Presented::Stranger;
        }
        let look = || {
            let state = &self.taker.state;
            state.trust.current().who(&handed.certificates, state.clock.system_seconds())
        };
        let mut found = look();
        if found.is_err() && !handed.alone {
            if !self.taker.is_current().await {
                return Presented::Unsure;
            }
            found = look();
        }
        match found {
            Ok(client) => Presented::Client(client),
            Err(refused) => {
                if let Some(note) = self.throttle.admit() {
                    warn!(address = %handed.address, front, "client certificate refused: {refused}{note}");
                }
                Presented::Stranger
            }
        }
    }

    fn note_end(&self, front: &str, handed: &HandedOver<'_>, end: &End) {
        if let Some(note) = self.throttle.admit() {
            info!(address = %handed.address, front, "connection closed: {end}{note}");
        }
    }
}

/// Whom a client's certificates stand for.
enum Presented {
    Client(Arc<Client>),
    Stranger,
    /// Nobody that this node knows, and it may have missed something.
    Unsure,
}

/// What the log knows a sending by. Parts have their length in front, so that none can pass for the end of another.
fn token(front: &str, handed: &HandedOver<'_>) -> Token {
    let leaf = handed.certificates.first().map(AsRef::as_ref).unwrap_or_default();
    let mut digest = Sha256::new();
    for part in [front.as_bytes(), leaf, &handed.token, handed.message] {
        digest.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    let digest = digest.finish();
    let mut token = Token::default();
    token.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    token
}
