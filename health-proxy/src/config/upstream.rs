//! Which nodes a front in replay stands before: ours, by `[replay] link_*`, or those of another make, by `[third_party]`.

use daemon::settings::{Mistake, Values};

use crate::client_files::ClientFiles;
use crate::links::{LinkFiles, Links};
use crate::replay::Upstream;
use crate::third_party::{Files, ThirdParty};

const OURS: &str = "replay";
const THIRD_PARTY: &str = "third_party";

const LINK_KEYS: [&str; 3] = ["link_certificate", "link_key", "link_ca"];
const THIRD_PARTY_KEYS: [&str; 4] = ["certificate", "key", "ca", "clients"];

/// None where there are mistakes.
pub(super) fn upstream(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<Upstream> {
    let of_links = LINK_KEYS.iter().find(|name| values.path(OURS, name).is_some());
    let of_third_party = THIRD_PARTY_KEYS.iter().find(|name| values.path(THIRD_PARTY, name).is_some());
    let named = values.text(THIRD_PARTY, "server_name").map(|_| &"server_name");
    match (of_links, of_third_party.or(named)) {
        (_, None) => ours(values, mistakes).map(Upstream::Ours),
        (None, Some(_)) => third_party(values, mistakes).map(Upstream::ThirdParty),
        (Some(link), Some(name)) => {
            let why = format!(
                "is for nodes of another make, and [{OURS}] {link} for our own; hint: a front stands before one or the \
                 other, take [{THIRD_PARTY}] or [{OURS}] link_* out"
            );
            mistakes.push(Mistake::key(values.line(THIRD_PARTY, name), THIRD_PARTY, name, why));
            None
        }
    }
}

fn ours(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<Links> {
    let needs = "replay needs it; hint: kms front certificate, [third_party] for nodes of another make, or [front] mode = \
                 \"passthrough\"";
    let paths = super::needed(values, OURS, LINK_KEYS, needs, mistakes)?;
    let [certificate, key, ca] = &paths;
    let read = Links::read(&LinkFiles { certificate, key, ca });
    read.map_err(|errors| super::say(values, OURS, &errors, mistakes)).ok()
}

fn third_party(values: &Values, mistakes: &mut Vec<Mistake>) -> Option<ThirdParty> {
    let needs = "replay before nodes of another make needs certificate, key, ca and clients; hint: certificate and key of a \
                 client that the nodes know, the CA of theirs, and the certificates of those who may connect here";
    let paths = super::needed(values, THIRD_PARTY, THIRD_PARTY_KEYS, needs, mistakes)?;
    let [certificate, key, ca] = [&paths[0], &paths[1], &paths[2]].map(|path| Some(path.clone()));
    let own = ClientFiles { certificate, key, ca, server_name: values.text(THIRD_PARTY, "server_name") };
    let [.., clients] = paths;
    let files = Files { own, clients };
    let connections_max = values.number(THIRD_PARTY, "connections_max");
    let read = ThirdParty::read(&files, values.time(OURS, "answer_wait_ms"), connections_max);
    read.map_err(|errors| super::say(values, THIRD_PARTY, &errors, mistakes)).ok()
}
