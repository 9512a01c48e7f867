//! What a front hands over, through three nodes: done once whichever is asked, and for nobody but who may.

use std::time::Duration;

use certs::{Authority, KeyKind, Profile, Subject};
use kmip::enumeration::{CredentialType, ResultReason};
use kmip::message::{Credential, CredentialValue, MessageExtension};
use kmip::{ProtocolVersion, RequestMessage, RequestPayload, ResponseMessage, ResponsePayload};
use kms_core::{Client, Event, RegisteredClient, Rights, Tenant, TrustKind};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use ttlv::Value;
use zeroize::Zeroizing;

use super::desk::Desk;
use super::front_ask::as_a_front::{read_reply, write};
use super::front_ask::{HandedOver, Reply};
use super::standing::Standing;
use super::test_bed::{Bed, client, creation, getting};
use crate::engine::NodeId;
use crate::links::{FRONT_KINDS, FRONT_REQUEST, FRONT_STATUS};
use crate::session::After;

const FRONT: &str = "front-edge1";
const TOKEN: [u8; 16] = [9; 16];
const DAY_S: i64 = 86_400;

/// Three nodes, and a client that is registered by its leaf.
struct Scene {
    bed: Bed,
    desks: Vec<Desk>,
    authority: Authority,
    leaf: Vec<u8>,
}

/// A request on its way through a front; what is not said is as of an ordinary first sending.
#[derive(Clone)]
struct Sending {
    message: Vec<u8>,
    certificates: Vec<Vec<u8>>,
    front: &'static str,
    token: [u8; 16],
    again: bool,
    seen: u64,
    alone: bool,
}

impl Scene {
    async fn new() -> Self {
        let bed = Bed::of(3).await;
        let desks = (1..=3).map(|id| bed.desk(id)).collect();
        let now = bed.taker(1).state.clock.system_seconds();
        let authority = Authority::create("clients", KeyKind::P256, now - 4_000 * DAY_S, 7_300).unwrap();
        let leaf = leaf(&authority, "vcenter01", now);
        let scene = Self { bed, desks, authority, leaf };
        scene.register("vcenter01", &scene.leaf).await;
        scene
    }

    async fn register(&self, name: &str, leaf: &[u8]) {
        let registered = RegisteredClient {
            client: Client { name: name.into(), tenant: Tenant::new("prod"), rights: Rights::ALL },
            trust: kms_core::Trust { kind: TrustKind::Pinned, certificate: leaf.to_vec() },
            credentials: kms_core::KnownCredentials::default(),
            registered_at: 1,
        };
        let event = Event::ClientRegistered { client: registered };
        self.bed.change(1, &event).await.unwrap();
        let known = || (1..=3).all(|id| self.holds_client(id, name));
        self.bed.until("all know the client", known).await;
    }

    fn holds_client(&self, id: NodeId, name: &str) -> bool {
        self.bed.taker(id).state.held().objects.clients().any(|known| &*known.client.name == name)
    }

    fn desk(&self, id: NodeId) -> &Desk {
        &self.desks[usize::try_from(id).unwrap() - 1]
    }

    fn sending(&self, request: &RequestMessage) -> Sending {
        let mut message = Vec::new();
        request.encode(&mut message);
        Sending {
            message,
            certificates: vec![self.leaf.clone()],
            front: FRONT,
            token: TOKEN,
            again: false,
            seen: self.seen(),
            alone: false,
        }
    }

    /// What a front heard by now, from whichever node.
    fn seen(&self) -> u64 {
        self.bed.taker(1).state.held().objects.answers_seen()
    }

    async fn send(&self, to: NodeId, sending: &Sending) -> Reply {
        let body = sending.body();
        let reply = self.desk(to).answer_front(sending.front, FRONT_REQUEST, body).await;
        read_reply(&reply.unwrap())
    }

    fn objects(&self, on: NodeId) -> usize {
        self.bed.taker(on).state.held().objects.len()
    }

    async fn until_cut(&self, id: NodeId) {
        let standing = || *self.bed.taker(id).standing.borrow();
        self.bed.until("it is cut off", || matches!(standing(), Standing::Cut(_))).await;
    }

    /// Two minutes of answers go by.
    async fn forget_all(&self) {
        let leader = self.bed.leader().await;
        let clock = &self.bed.taker(leader).state.clock;
        clock.not_before(clock.unix_seconds() + 2 * kms_core::ANSWERS_S_MAX);
        self.bed.create(leader, "later").await;
    }

    /// A node that does not lead, and another.
    async fn follower_and_leader(&self) -> (NodeId, NodeId) {
        let leader = self.bed.leader().await;
        (if leader == 1 { 2 } else { 1 }, leader)
    }
}

impl Sending {
    fn body(&self) -> Vec<u8> {
        write(&HandedOver {
            token: self.token,
            again: self.again,
            seen: self.seen,
            alone: self.alone,
            address: "192.0.2.7:40000".parse().unwrap(),
            certificates: self.certificates.iter().map(|der| CertificateDer::from(der.clone())).collect(),
            message: &self.message,
        })
    }
}

/// A key to be made that no name keeps from being made twice.
fn nameless() -> RequestMessage {
    let mut request = creation("");
    if let RequestPayload::Create(create) = &mut request.items[0].payload {
        create.template_attribute.attributes.pop();
    }
    request
}

fn leaf(authority: &Authority, name: &str, now: i64) -> Vec<u8> {
    issued(authority, Profile::Client, &Subject::named(name), now)
}

fn issued(authority: &Authority, profile: Profile, subject: &Subject, now: i64) -> Vec<u8> {
    let issued = authority.issue(profile, subject, KeyKind::P256, now).unwrap();
    CertificateDer::from_pem_slice(issued.cert_pem.as_bytes()).unwrap().to_vec()
}

fn answered(reply: Reply) -> (Zeroizing<Vec<u8>>, After) {
    match reply {
        Reply::Answered { message, after } => (message, after),
        other => panic!("{other:?}"),
    }
}

fn decoded(reply: Reply) -> ResponseMessage {
    ResponseMessage::decode(&answered(reply).0, ttlv::Limits::default()).unwrap()
}

fn created(reply: Reply) -> String {
    let response = decoded(reply);
    let created = response.items.iter().find_map(|item| match &item.payload {
        Some(ResponsePayload::Create(created)) => Some(created.unique_identifier.clone()),
        _ => None,
    });
    created.unwrap_or_else(|| panic!("not created: {:?}", response.items.first()))
}

/// Reason and text of the first item.
fn refused(reply: Reply) -> (Option<ResultReason>, String) {
    let item = decoded(reply).items.remove(0);
    (item.result_reason, item.result_message.unwrap_or_default())
}

/// What somebody without a registered certificate is told at the KMIP port.
fn assert_stranger(reply: Reply, what: &str) {
    let (message, after) = answered(reply);
    assert_eq!(after, After::Close, "{what}");
    let answered = ResponseMessage::decode(&message, ttlv::Limits::default()).unwrap();
    let item = &answered.items[0];
    assert_eq!(item.result_reason, Some(ResultReason::AuthenticationNotSuccessful), "{what}");
    let text = item.result_message.as_deref().unwrap_or_default();
    assert!(text.starts_with("no registered client certificate came with this connection"), "{what}: {text}");
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_was_lost_with_its_node_is_the_same_object_through_another() {
    for freezes in [false, true] {
        for leads in [false, true] {
            let scene = Scene::new().await;
            let (follower, leader) = scene.follower_and_leader().await;
            let (first, second) = if leads { (leader, follower) } else { (follower, 6 - leader - follower) };
            let sending = scene.sending(&nameless());
            let lost = created(scene.send(first, &sending).await);
            match freezes {
                true => scene.bed.net.freeze(first),
                false => scene.bed.net.cut(first),
            }
            let again = Sending { again: true, ..sending };
            let reply = scene.send(second, &again).await;
            assert_eq!(created(reply), lost, "frozen: {freezes}, leads: {leads}");
            assert_eq!(scene.objects(second), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_lay_in_a_frozen_node_gets_the_answer_of_its_replay_when_that_node_wakes() {
    let scene = Scene::new().await;
    let (frozen, leader) = scene.follower_and_leader().await;
    let first = scene.sending(&nameless());
    scene.bed.net.freeze(frozen);
    let late = async {
        let reply = scene.send(frozen, &first).await;
        created(reply)
    };
    let replayed = async {
        let reply = scene.send(leader, &Sending { again: true, ..first.clone() }).await;
        let id = created(reply);
        scene.bed.net.thaw();
        id
    };
    let (late, replayed) = tokio::join!(late, replayed);
    assert_eq!(late, replayed);
    assert_eq!(scene.objects(leader), 1);
}

#[tokio::test(start_paused = true)]
async fn a_create_that_a_frozen_node_takes_up_after_its_answer_is_forgotten_is_not_done_twice() {
    let scene = Scene::new().await;
    let (woken, leader) = scene.follower_and_leader().await;
    let first = scene.sending(&nameless());
    created(scene.send(leader, &Sending { again: true, ..first.clone() }).await);
    scene.forget_all().await;
    let objects = scene.objects(leader);
    // The first sending lay in its buffers all the while. It knows today's count, and must not take it for the front's.
    let late = scene.send(woken, &first).await;
    assert!(
        matches!(late, Reply::Outrun(now) if now == scene.bed.taker(leader).state.held().objects.answers_seen())
    );
    let (reason, text) = refused(scene.send(woken, &Sending { again: true, ..first }).await);
    assert_eq!(reason, Some(ResultReason::GeneralFailure));
    assert!(text.contains("whether it was is no longer known"), "{text}");
    assert_eq!(scene.objects(leader), objects);
}

#[tokio::test(start_paused = true)]
async fn a_first_sending_with_a_count_from_long_ago_is_done_with_the_count_it_is_told() {
    let scene = Scene::new().await;
    scene.bed.create(1, "before").await;
    scene.forget_all().await;
    let objects = scene.objects(1);
    let old = Sending { seen: 0, ..scene.sending(&nameless()) };
    let Reply::Outrun(seen) = scene.send(2, &old).await else { panic!("an old count was taken") };
    assert_eq!(scene.objects(1), objects);
    let id = created(scene.send(2, &Sending { seen, ..old.clone() }).await);
    assert_eq!(created(scene.send(3, &Sending { seen, again: true, ..old }).await), id);
    assert_eq!(scene.objects(scene.bed.leader().await), objects + 1);
}

#[tokio::test(start_paused = true)]
async fn a_replay_of_what_nobody_took_is_done_once() {
    let scene = Scene::new().await;
    let again = Sending { again: true, ..scene.sending(&nameless()) };
    let ids = [
        created(scene.send(2, &again).await),
        created(scene.send(3, &again).await),
        created(scene.send(1, &again).await),
    ];
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(scene.objects(scene.bed.leader().await), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_finds_its_answer_for_the_same_front_client_and_message_alone() {
    let scene = Scene::new().await;
    let other_leaf = leaf(&scene.authority, "vcenter02", scene.bed.taker(1).state.clock.system_seconds());
    scene.register("vcenter02", &other_leaf).await;
    let sending = Sending { again: true, ..scene.sending(&nameless()) };
    let mut ids = vec![created(scene.send(1, &sending).await)];
    for other in [
        Sending { front: "front-edge2", ..sending.clone() },
        Sending { certificates: vec![other_leaf], ..sending.clone() },
        Sending { message: scene.sending(&creation("two")).message, ..sending.clone() },
        Sending { token: [8; 16], ..sending.clone() },
    ] {
        ids.push(created(scene.send(2, &other).await));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5, "each was another request");
}

#[tokio::test(start_paused = true)]
async fn what_a_cut_off_node_does_not_take_leaves_nothing_and_is_done_by_another() {
    let scene = Scene::new().await;
    let (cut, leader) = scene.follower_and_leader().await;
    scene.bed.net.cut(cut);
    scene.until_cut(cut).await;
    let sending = scene.sending(&nameless());
    for sending in [
        sending.clone(),
        Sending { alone: true, ..sending.clone() },
        Sending { again: true, ..sending.clone() },
    ] {
        let reply = scene.send(cut, &sending).await;
        assert_eq!(reply, Reply::NotTaken("this node cannot reach a majority of the nodes".to_owned()));
    }
    assert_eq!(scene.bed.audit(cut), "");
    created(scene.send(leader, &sending).await);
    assert_eq!(scene.objects(leader), 1);
    scene.bed.net.heal();
    scene.bed.until("it caught up", || scene.objects(cut) == 1).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_leader_took_that_was_cut_off_then_is_lost_and_done_once_by_the_others() {
    let scene = Scene::new().await;
    let (other, leader) = scene.follower_and_leader().await;
    // Cut, and not known to be yet: it decides, and nobody commits it.
    scene.bed.net.cut(leader);
    let sending = scene.sending(&nameless());
    assert_eq!(scene.send(leader, &sending).await, Reply::Lost);
    created(scene.send(other, &Sending { again: true, ..sending }).await);
    scene.bed.net.heal();
    scene.bed.until("it caught up", || scene.objects(leader) == 1).await;
    assert_eq!(scene.objects(other), 1);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_cut_off_reads_what_it_holds_for_a_front_only_when_told_that_it_is_alone() {
    let scene = Scene::new().await;
    let id = created(scene.send(1, &scene.sending(&nameless())).await);
    scene.bed.until("all hold it", || (1..=3).all(|on| scene.objects(on) == 1)).await;
    scene.bed.net.cut(2);
    scene.until_cut(2).await;
    let sending = scene.sending(&getting(&id));
    let began = tokio::time::Instant::now();
    assert!(matches!(scene.send(2, &sending).await, Reply::NotTaken(_)));
    assert!(began.elapsed() < Duration::from_millis(100), "it took {:?}", began.elapsed());
    let alone = Sending { alone: true, ..sending };
    let read = decoded(scene.send(2, &alone).await);
    assert!(matches!(read.items[0].payload, Some(ResponsePayload::Get(_))));
    assert!(scene.bed.audit(2).contains("\"without_quorum\":true"));
    // What is not here may be elsewhere.
    let missing = scene.sending(&getting("00000000-0000-4000-8000-000000000000"));
    let (reason, _) = refused(scene.send(2, &Sending { alone: true, ..missing }).await);
    assert_eq!(reason, Some(ResultReason::GeneralFailure));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_no_registered_client_is_told_what_the_port_tells_strangers() {
    let scene = Scene::new().await;
    let now = scene.bed.taker(1).state.clock.system_seconds();
    let expired = leaf(&scene.authority, "vcenter03", now - 3_000 * DAY_S);
    let early = leaf(&scene.authority, "vcenter04", now + 3 * DAY_S);
    scene.register("vcenter03", &expired).await;
    scene.register("vcenter04", &early).await;
    let unknown = leaf(&scene.authority, "vcenter01", now);
    let presented = [
        ("no certificate", Vec::new()),
        ("unknown", vec![unknown.clone()]),
        ("expired", vec![expired]),
        ("not valid yet", vec![early]),
        ("no certificate at all", vec![b"hello".to_vec()]),
        ("a known one behind an unknown leaf", vec![unknown, scene.leaf.clone()]),
    ];
    for (what, certificates) in presented {
        let sending = Sending { certificates, ..scene.sending(&nameless()) };
        assert_stranger(scene.send(2, &sending).await, what);
    }
    assert_eq!(scene.objects(scene.bed.leader().await), 0);
    let audit = scene.bed.audit(2);
    assert_eq!(audit.lines().count(), 6);
    assert!(audit.lines().all(|line| line.contains("\"client\":\"-\"") && line.contains("192.0.2.7:40000")));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_removed_is_refused_at_its_next_message_through_a_front() {
    let scene = Scene::new().await;
    let id = created(scene.send(3, &scene.sending(&nameless())).await);
    let get = scene.sending(&getting(&id));
    assert!(decoded(scene.send(3, &get).await).items[0].payload.is_some());
    scene.bed.change(1, &Event::ClientRemoved { name: "vcenter01".to_owned() }).await.unwrap();
    for on in 1..=3 {
        let reply = scene.send(on, &get).await;
        let (reason, _) = refused(reply);
        assert_eq!(reason, Some(ResultReason::AuthenticationNotSuccessful), "node {on}");
    }
    scene.bed.until("it knows", || !scene.holds_client(3, "vcenter01")).await;
    assert_stranger(scene.send(3, &get).await, "once the node knows");
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_a_cut_off_node_does_not_know_is_left_to_another_that_may() {
    let scene = Scene::new().await;
    scene.bed.net.cut(2);
    scene.until_cut(2).await;
    let unknown = leaf(&scene.authority, "vcenter02", scene.bed.taker(1).state.clock.system_seconds());
    let sending = Sending { certificates: vec![unknown], ..scene.sending(&nameless()) };
    let why = "this node cannot say now whether the client's certificate is known";
    assert_eq!(scene.send(2, &sending).await, Reply::NotTaken(why.to_owned()));
    assert_stranger(scene.send(2, &Sending { alone: true, ..sending }).await, "alone");
}

#[tokio::test(start_paused = true)]
async fn neither_a_nodes_nor_a_fronts_certificate_stands_for_a_client() {
    let scene = Scene::new().await;
    let now = scene.bed.taker(1).state.clock.system_seconds();
    let cluster = Authority::create("cluster CA", KeyKind::P256, now, 7_300).unwrap();
    let node = Subject::node(2, vec!["192.0.2.2".parse().unwrap()]);
    for leaf in [
        issued(&cluster, Profile::Node, &node, now),
        issued(&cluster, Profile::Front, &Subject::front("edge1"), now),
        issued(&cluster, Profile::Front, &Subject::front("vcenter01"), now),
    ] {
        let sending = Sending { certificates: vec![leaf], ..scene.sending(&nameless()) };
        assert_stranger(scene.send(1, &sending).await, "of the cluster's CA");
    }
    // And nobody but a front may hand anything over, nor a front ask as a node does.
    let body = scene.sending(&nameless()).body();
    for kind in FRONT_KINDS {
        assert!(scene.bed.taker(1).answer_node(2, kind, &body).await.is_err());
    }
    for kind in (0..=0x7f).filter(|kind| !FRONT_KINDS.contains(kind)) {
        assert!(scene.desk(1).answer_front(FRONT, kind, body.clone()).await.is_err(), "{kind:#04x}");
    }
    assert_eq!(scene.objects(scene.bed.leader().await), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_inside_a_message_says_who_sent_it_or_that_it_came_before() {
    let scene = Scene::new().await;
    let other = leaf(&scene.authority, "vcenter02", scene.bed.taker(1).state.clock.system_seconds());
    scene.register("vcenter02", &other).await;
    let mut request = nameless();
    request.header.authentication = vec![Credential {
        credential_type: CredentialType::UsernameAndPassword,
        value: CredentialValue::UsernameAndPassword { username: "vcenter02".to_owned(), password: None },
    }];
    request.items[0].message_extension = Some(MessageExtension {
        vendor_identification: "kms-server front".to_owned(),
        criticality_indicator: false,
        vendor_extension: ttlv::Node::new(
            kmip::tag::VENDOR_EXTENSION,
            Value::Structure(vec![
                ttlv::Node::new(ttlv::Tag::new(0x54_0001), Value::ByteString(TOKEN.to_vec())),
                ttlv::Node::new(ttlv::Tag::new(0x54_0002), Value::ByteString(other)),
            ]),
        ),
    });
    let sending = scene.sending(&request);
    let peer = crate::session::Peer { client: client(), address: "192.0.2.9:1".parse().unwrap() };
    // At the port: twice the same bytes are two requests, of the client whose certificate came.
    for _ in 0..2 {
        let mut answer = Vec::new();
        scene.desk(1).answer(&peer, &sending.message, &mut answer).await;
    }
    let leader = scene.bed.leader().await;
    assert_eq!(scene.objects(leader), 2);
    // Through a front: another token is another request.
    created(scene.send(1, &sending).await);
    created(scene.send(1, &Sending { token: [8; 16], ..sending }).await);
    assert_eq!(scene.objects(leader), 4);
    assert!(!scene.bed.audit(1).contains("vcenter02"));
}

#[tokio::test(start_paused = true)]
async fn what_a_front_hands_over_is_in_the_audit_with_the_client_and_its_own_address() {
    let scene = Scene::new().await;
    let sending = scene.sending(&nameless());
    let id = created(scene.send(2, &sending).await);
    let lines: Vec<serde_json::Value> =
        scene.bed.audit(2).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "Create and Activate");
    for line in lines {
        assert_eq!(line["client"], "vcenter01");
        assert_eq!(line["tenant"], "prod");
        assert_eq!(line["address"], "192.0.2.7:40000");
        assert_eq!(line["unique_identifier"], id);
        assert_eq!(line["result_status"], "Success");
        assert_eq!(line["message_bytes"], sending.message.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_unreadable_or_none_is_treated_as_at_the_port() {
    let scene = Scene::new().await;
    let known = scene.sending(&nameless());
    let with = |message: &[u8]| Sending { message: message.to_vec(), ..known.clone() };
    let (message, after) = answered(scene.send(1, &with(&[0x42, 0, 0x78, 1, 0x7f, 0, 0, 0])).await);
    let response = ResponseMessage::decode(&message, ttlv::Limits::default()).unwrap();
    assert_eq!(response.items[0].result_reason, Some(ResultReason::InvalidMessage));
    assert_eq!(after, After::Close);

    let (message, after) = answered(scene.send(1, &with(&[0x42, 0, 0x78, 1, 0, 0, 0, 0])).await);
    let response = ResponseMessage::decode(&message, ttlv::Limits::default()).unwrap();
    assert_eq!(response.items[0].result_reason, Some(ResultReason::InvalidMessage));
    assert_eq!(after, After::KeepOpen);

    let (message, after) = answered(scene.send(1, &with(b"GET / HTTP/1.1\r\n")).await);
    assert_eq!((message.len(), after), (0, After::Close), "no KMIP: closed without a word");

    let twice = [known.message.clone(), known.message.clone()].concat();
    for message in [&known.message[..known.message.len() - 1], &twice, b""] {
        let refused = scene.desk(1).answer_front(FRONT, FRONT_REQUEST, with(message).body()).await;
        assert!(refused.is_err_and(|why| why.contains("expected one whole KMIP message")));
    }
    assert_eq!(scene.objects(scene.bed.leader().await), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_ends_takes_nothing_more_of_a_front_and_says_so() {
    let scene = Scene::new().await;
    scene.bed.drain.send_replace(true);
    let reply = scene.send(1, &scene.sending(&nameless())).await;
    assert_eq!(reply, Reply::NotTaken("this node is ending".to_owned()));
    let status = scene.status(1).await;
    assert_eq!((&status["read"], &status["write"]), (&false.into(), &false.into()));
    assert_eq!(status["reason"], "the server is draining");
}

impl Scene {
    async fn status(&self, of: NodeId) -> serde_json::Value {
        let status = self.desk(of).answer_front(FRONT, FRONT_STATUS, Vec::new()).await.unwrap();
        serde_json::from_slice(&status).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_front_is_told_what_each_node_can_do_and_it_leaves_no_line() {
    let scene = Scene::new().await;
    created(scene.send(1, &scene.sending(&nameless())).await);
    let (follower, leader) = scene.follower_and_leader().await;
    scene.bed.until("all hold it", || (1..=3).all(|on| scene.objects(on) == 1)).await;
    let audit = scene.bed.audit(1);
    for node in 1..=3 {
        let status = scene.status(node).await;
        let role = scene.bed.taker(node).roles.borrow().clone();
        let expected = serde_json::json!({
            "node": node, "name": format!("node{node}"), "member": true, "leads": node == leader, "leader": leader,
            "read": true, "write": true, "reason": null, "term": role.term, "applied": role.applied, "lag": 0,
            "answers_seen": scene.seen(), "connections": 0, "requests": u8::from(node == 1),
        });
        assert_eq!(status, expected);
    }
    scene.bed.net.cut(follower);
    scene.until_cut(follower).await;
    let status = scene.status(follower).await;
    assert_eq!((&status["read"], &status["write"]), (&true.into(), &false.into()));
    assert_eq!(status["reason"], "a majority of the nodes cannot be reached");
    assert_eq!((&status["lag"], &status["member"]), (&serde_json::Value::Null, &true.into()));
    assert_eq!(scene.bed.audit(1), audit);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_no_member_tells_a_front_and_takes_nothing() {
    let mut scene = Scene::new().await;
    scene.bed.start(4).await;
    let outside = scene.bed.desk(4);
    let standing = || *scene.bed.taker(4).standing.borrow();
    scene.bed.until("it knows", || standing() == Standing::Outside).await;
    let status = outside.front_status();
    assert_eq!((status.member, status.read, status.write, status.leader), (false, false, false, None));
    assert!(status.reason.is_some_and(|reason| reason.contains("a member of its cluster")));
    let reply = outside.answer_front(FRONT, FRONT_REQUEST, scene.sending(&nameless()).body()).await;
    assert!(matches!(read_reply(&reply.unwrap()), Reply::NotTaken(_)));
}

/// The version of a response is that of its request, also of one that is refused for its sender.
#[tokio::test(start_paused = true)]
async fn a_strangers_answer_through_a_front_has_the_version_it_asked_in() {
    let scene = Scene::new().await;
    for version in [ProtocolVersion::V1_0, ProtocolVersion::V1_4] {
        let mut request = nameless();
        request.header.protocol_version = version;
        let sending = Sending { certificates: Vec::new(), ..scene.sending(&request) };
        assert_eq!(decoded(scene.send(1, &sending).await).header.protocol_version, version);
    }
}
