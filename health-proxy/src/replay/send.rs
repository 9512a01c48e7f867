//! Carries one request to nodes until one has answered it, as its [`Course`] says.

use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{sleep_until, timeout};
use zeroize::Zeroizing;

use super::Replay;
use super::course::{Course, GivenUp, Next};
use crate::choose::Need;
use crate::front::Front;
use crate::health::{Event, NodeId};
use crate::links::{Handed, Manner, Reply, Unheard};
use crate::roster::Presence;

/// The answer, and whether the client's connection ends with it.
type Answered = (Zeroizing<Vec<u8>>, bool);

/// What came of it, [`GivenUp`] when the bounds of the course are reached; and how often it was sent.
pub(super) async fn carry(
    front: &Front,
    replay: &Replay,
    handed: &Handed,
    need: Need,
) -> (Result<Answered, GivenUp>, u32) {
    let mut course = Course::new(need, front.clock.now(), replay.upstream.seen(), replay.bounds);
    let mut under_way = FuturesUnordered::new();
    let mut resets = FuturesUnordered::new();
    loop {
        let now = front.clock.now();
        let view = front.view.load_full();
        let random = front.random();
        let next =
            course.next(now, |wanted| view.pool.choose(now, wanted, |node| view.sessions(node), random));
        let until = match next {
            Next::GiveUp(mut given_up) => {
                // What is being connected for is dropped with its sending.
                given_up.perhaps &= handed.on_its_way.load(Ordering::Acquire);
                return (Err(given_up), course.sendings());
            }
            Next::Wait(until) => until,
            Next::Send(node, manner) => {
                match view.places.get(&node) {
                    Some(place) => {
                        let mut reset = place.resets();
                        under_way.push(send(front, replay, place.enter(), handed, need, manner));
                        resets.push(async move {
                            // A place that is gone has no resets; its sendings break by themselves.
                            match reset.changed().await {
                                Ok(()) => node,
                                Err(_) => std::future::pending().await,
                            }
                        });
                    }
                    None => course.not_taken(node, "the node was taken out of the configuration".to_owned()),
                }
                continue;
            }
        };
        tokio::select! {
            Some((node, heard)) = under_way.next(), if !under_way.is_empty() => match heard {
                Ok(Reply::Answered { message, close }) => return (Ok((message, close)), course.sendings()),
                Ok(Reply::Lost) => course.lost(node, "the node lost sight of it".to_owned()),
                Ok(Reply::NotTaken(why)) => course.not_taken(node, why),
                Ok(Reply::Outrun(seen)) => course.outrun(node, seen),
                Err(Unheard::Unsent(why)) => course.not_taken(node, why),
                Err(Unheard::Refused(why)) => course.lost(node, why),
                Err(Unheard::Broke(why)) => course.broke(node, why),
            },
            Some(node) = resets.next(), if !resets.is_empty() => course.stalled(node),
            () = sleep_until(front.clock.instant(until)) => {}
        }
    }
}

/// One sending, to its end. Tells the judge what it learns of the node.
async fn send(
    front: &Front,
    replay: &Replay,
    presence: Presence,
    handed: &Handed,
    need: Need,
    manner: Manner,
) -> (NodeId, Result<Reply, Unheard>) {
    let place = presence.place();
    let node = place.node;
    let mut call = std::pin::pin!(replay.upstream.hand_over(place.address, handed, need, manner));
    let age_max = front.tuning.load().settings.request_age_max;
    let heard = match timeout(age_max, &mut call).await {
        Ok(heard) => heard,
        Err(_) => {
            front.hint(node, Event::RequestWaits { age: age_max });
            call.await
        }
    };
    match &heard {
        Ok(_) => presence.connected(),
        Err(Unheard::Unsent(why)) => {
            front.metrics.connect_failed(&place.name);
            front.hint(node, Event::ConnectFailed { reason: format!("a client's request: {why}") });
        }
        Err(Unheard::Broke(_)) => front.hint(node, Event::EndedEarly),
        Err(Unheard::Refused(_)) => {}
    }
    (node, heard)
}
