//! Replay before servers of another make: reads are answered whatever becomes of the server that has them, a change is
//! carried out at most once and its client told the truth, and nobody but the operator's clients gets a word.

mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use kmip::client::{Client, ClientConfig, ClientError, Connection, ServerTrust, TlsVersions};
use kmip::enumeration::{CredentialType, Operation, ResultReason};
use kmip::message::{Credential, CredentialValue};
use kmip::{ProtocolVersion, RequestMessage, RequestPayload, ResponseMessage, Secret};
use rustls::AlertDescription;

use self::server::{Asked, Does, Server};
use crate::authority::{Pair, authority, ec_key, leaf};
use crate::bed::{Front, LIMIT, node as node_of, until};
use crate::node::House;
use crate::replay::{ask, change, read, refused};

/// A long patience, where a test is not about it.
const UNHURRIED: &str = "resend_after_ms = 60000\nanswer_wait_ms = 60000\n";

/// Probes decide how a front begins, and after that only what requests meet has it probe.
const HEALTH: &str = "[health]\nprobe_timeout_ms = 20000\nprobe_interval_ms = 3600000\n";

/// Servers, a front before them, and two clients that it lets in.
struct Bed {
    servers: Vec<Server>,
    front: Front,
    /// What the servers know the front by.
    own: Pair,
    server_ca: Pair,
    clients: [Pair; 2],
}

impl Bed {
    /// Before three servers; `more` is added to `[replay]`.
    async fn new(more: &str) -> Self {
        let house = House::new();
        let mut servers = Vec::new();
        for name in ["a", "b", "c"] {
            servers.push(Server::start(&house, name).await);
        }
        Self::before(&house, servers, more, "").await
    }

    /// Before one; `third_party` is added to that section.
    async fn before_one(more: &str, third_party: &str) -> Self {
        let house = House::new();
        let servers = vec![Server::start(&house, "a").await];
        Self::before(&house, servers, more, third_party).await
    }

    async fn before(house: &House, servers: Vec<Server>, more: &str, third_party: &str) -> Self {
        let bed = Self::before_any(house, servers, more, third_party).await;
        let all_up = |status: &serde_json::Value| {
            status["nodes"].as_array().unwrap().iter().all(|node| node["state"] == "Up")
        };
        bed.front.until("all nodes are Up", all_up).await;
        bed
    }

    async fn before_any(house: &House, servers: Vec<Server>, more: &str, third_party: &str) -> Self {
        let server_ca = authority("server CA");
        let own = house.client();
        let company = authority("clients' CA");
        let clients = ["vc01", "vc02"].map(|name| leaf(&company, name, ec_key()));
        let dir = tempfile::tempdir().unwrap();
        let server = leaf(&server_ca, "kms.example.test", ec_key());
        write(dir.path(), "server.pem", &server.pem());
        write(dir.path(), "server-key.pem", &server.key_pem());
        write(dir.path(), "own.pem", &own.pem());
        write(dir.path(), "own-key.pem", &own.key_pem());
        write(dir.path(), "nodes-ca.pem", &house.authority.pem());
        write(dir.path(), "clients.pem", &[clients[0].pem(), clients[1].pem(), company.pem()].concat());
        let front = Front::start_in(dir, &configuration(&servers, more, third_party)).await;
        Self { servers, front, own, server_ca, clients }
    }

    async fn connect(&self) -> Connection {
        Client::connect(&self.config(Some(&self.clients[0]), TlsVersions::Both)).await.unwrap()
    }

    fn config(&self, client: Option<&Pair>, versions: TlsVersions) -> ClientConfig {
        let trust = ServerTrust::Ca { pem: self.server_ca.pem(), verify_name: true };
        let mut builder = ClientConfig::builder(self.front.listen.to_string(), trust)
            .server_name("kms.example.test")
            .tls_versions(versions)
            .request_timeout(LIMIT);
        if let Some(client) = client {
            builder = builder.identity_pem(client.pem(), client.key_pem());
        }
        builder.build().unwrap()
    }

    fn all(&self, does: Does) {
        self.servers.iter().for_each(|server| server.does(does));
    }

    /// All that servers were asked, with the server's name.
    fn asked(&self) -> Vec<(&'static str, Asked)> {
        let all = self.servers.iter();
        all.flat_map(|server| server.asked().into_iter().map(|asked| (server.name, asked))).collect()
    }

    async fn until_asked(&self, count: usize) {
        until("so many requests are with servers", async || (self.asked().len() == count).then_some(()))
            .await;
    }
}

fn write(dir: &Path, name: &str, pem: &[u8]) {
    let path = dir.join(name);
    fs::write(&path, pem).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn configuration(servers: &[Server], more: &str, third_party: &str) -> String {
    let mut text = format!(
        "[front]\nlisten = \"127.0.0.1:0\"\nmode = \"replay\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \
         \"json\"\n[replay]\ncertificate = \"server.pem\"\nkey = \"server-key.pem\"\n{more}[third_party]\ncertificate = \
         \"own.pem\"\nkey = \"own-key.pem\"\nca = \"nodes-ca.pem\"\nserver_name = \"kms.example.test\"\nclients = \
         \"clients.pem\"\n{third_party}{HEALTH}[nodes]\n"
    );
    for server in servers {
        text.push_str(&format!("{} = \"{}\"\n", server.name, server.address));
    }
    text
}

/// The alert that a client gets that is not let in, in the handshake or, in TLS 1.3, in place of its first answer.
async fn alert(config: &ClientConfig) -> AlertDescription {
    let asking = async { Client::connect(config).await?.one(read()).await };
    let error: ClientError = asking.await.unwrap_err();
    error.alert().unwrap_or_else(|| panic!("{error}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_reaches_a_server_as_it_came_and_all_clients_are_one_to_it() {
    let bed = Bed::new(UNHURRIED).await;
    for client in &bed.clients {
        let mut request = RequestMessage::new(ProtocolVersion::V1_2, [read().into(), change().into()]);
        request.header.authentication = vec![Credential {
            credential_type: CredentialType::UsernameAndPassword,
            value: CredentialValue::UsernameAndPassword {
                username: "vcenter".to_owned(),
                password: Some(Secret::from(&b"from its settings"[..])),
            },
        }];
        for (id, item) in (1..).zip(&mut request.items) {
            item.unique_batch_item_id = Some(vec![id]);
        }
        let mut message = Vec::new();
        request.encode(&mut message);
        let config = bed.config(Some(client), TlsVersions::Both);
        let answer = Client::connect(&config).await.unwrap().call_raw(&message).await.unwrap();
        let answer = ResponseMessage::decode(&answer, ttlv::Limits::default()).unwrap();
        assert_eq!(answer.items.len(), 2);
        assert_eq!(bed.asked().pop().map(|(_, asked)| asked.message), Some(message));
    }
    let own = bed.own.certificate.to_der().unwrap();
    assert!(bed.asked().iter().all(|(_, asked)| asked.leaf == own) && bed.asked().len() == 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_its_server_dies_or_babbles_with_is_answered_by_another() {
    for does in [Does::Dies, Does::Babbles, Does::Echoes] {
        let bed = Bed::new(UNHURRIED).await;
        bed.all(Does::Waits);
        let mut client = bed.connect().await;
        let asking = tokio::spawn(async move { (ask(&mut client, read()).await, client) });
        bed.until_asked(1).await;
        let (mut first, mut others): (Vec<_>, Vec<_>) =
            bed.servers.iter().partition(|server| !server.asked().is_empty());
        // The others first, so that nobody waits when the request comes to them.
        others.drain(..).for_each(|server| server.does(Does::Answers));
        let first = first.pop().unwrap();
        first.does(does);
        let (name, mut client) = asking.await.unwrap();
        assert_ne!(name, first.name, "{does:?}");
        // The client goes on, on the same connection, also where a kept one of the front's is what ends.
        for _ in 0..10 {
            assert_ne!(ask(&mut client, read()).await, first.name, "{does:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_with_a_frozen_server_is_answered_by_another_and_its_connection_ends_unused() {
    let bed = Bed::new("resend_after_ms = 100\nanswer_wait_ms = 60000\n").await;
    bed.servers[0].does(Does::Waits);
    let mut client = bed.connect().await;
    for _ in 0..12 {
        assert_ne!(ask(&mut client, read()).await, "a");
    }
    let frozen = &bed.servers[0];
    until("each that it had is given up", async || {
        (frozen.given_up() == frozen.asked().len() && frozen.open() == 0).then_some(())
    })
    .await;
    frozen.does(Does::Answers);
    for _ in 0..12 {
        ask(&mut client, read()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_is_lost_is_given_to_no_other_and_the_client_is_told() {
    for does in [Does::Dies, Does::Babbles, Does::Echoes] {
        let bed = Bed::new("resend_after_ms = 20\nanswer_wait_ms = 60000\n").await;
        bed.all(does);
        let mut client = bed.connect().await;
        let (reason, text) = refused(&mut client, change()).await;
        assert_eq!(reason, ResultReason::GeneralFailure);
        assert_eq!(
            text,
            "the key server was lost while it had this change; it is given to no other; it may have been carried out; \
             hint: look with Locate before you repeat it"
        );
        assert_eq!(bed.asked().len(), 1, "{does:?}");
        bed.all(Does::Answers);
        ask(&mut client, change()).await;
        assert_eq!(bed.asked().len(), 2, "the client goes on, and what it sends now is another request");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_known_to_read_only_is_sent_once_like_a_change() {
    let bed = Bed::new("resend_after_ms = 20\nanswer_wait_ms = 60000\n").await;
    bed.all(Does::Dies);
    let encrypt = RequestPayload::Other { operation: Operation::Encrypt, fields: Vec::new() };
    let batches: [Vec<RequestPayload>; 2] = [vec![read().into(), change().into()], vec![encrypt]];
    for (count, payloads) in (1..).zip(batches) {
        let items = payloads.len();
        let request = RequestMessage::new(ProtocolVersion::V1_2, payloads);
        let answer = bed.connect().await.call(&request).await.unwrap();
        assert_eq!(answer.items.len(), items);
        let told = answer.items.iter().map(|item| item.result_message.as_deref().unwrap());
        assert!(told.into_iter().all(|text| text.contains("it may have been carried out")));
        assert_eq!(bed.asked().len(), count);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_with_a_frozen_server_is_given_to_no_other_and_the_client_is_told_in_time() {
    let bed = Bed::new("resend_after_ms = 50\nanswer_wait_ms = 700\n").await;
    bed.all(Does::Waits);
    let mut client = bed.connect().await;
    let (_, text) = refused(&mut client, change()).await;
    assert_eq!(
        text,
        "no key server answered within 700 ms; it may have been carried out; hint: look with Locate before you repeat it"
    );
    until("its connection is ended", async || {
        (bed.servers.iter().map(Server::given_up).sum::<usize>() == 1).then_some(())
    })
    .await;
    bed.all(Does::Answers);
    ask(&mut client, read()).await;
    assert_eq!(bed.asked().len(), 2, "the change once, and the read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_two_servers_died_with_is_given_to_no_third() {
    let bed = Bed::new(UNHURRIED).await;
    bed.all(Does::Dies);
    let (_, text) = refused(&mut bed.connect().await, read()).await;
    assert!(text.starts_with("two key servers were lost while they had this request"), "{text}");
    assert!(text.contains("nothing was changed"), "{text}");
    assert_eq!(bed.asked().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_connection_can_be_made_changes_go_to_another_server_too() {
    let house = House::new();
    let servers = vec![Server::start(&house, "a").await, Server::start(&house, "b").await];
    let mut bed = Bed::before(&house, servers, UNHURRIED, "").await;
    bed.servers[0].kill().await;
    // The front does not know it yet, and finds out with one of them.
    for _ in 0..20 {
        assert_eq!(ask(&mut bed.connect().await, change()).await, "b");
    }
    assert_eq!(bed.asked().len(), 20);
    let metrics = bed.front.get("/metrics").await.1;
    assert!(metrics.contains("connect_failures_total{node=\"a\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_can_be_connected_to_a_change_was_not_carried_out() {
    let mut bed = Bed::before_one("answer_wait_ms = 300\n", "").await;
    bed.servers[0].kill().await;
    let (_, text) = refused(&mut bed.connect().await, change()).await;
    assert!(text.contains("within 300 ms; nothing was changed; hint: try again"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_waits_for_a_connection_when_time_is_up_was_not_carried_out() {
    let bed = Bed::before_one("answer_wait_ms = 300\n", "").await;
    bed.all(Does::Silent);
    let (_, text) = refused(&mut bed.connect().await, change()).await;
    assert!(text.contains("within 300 ms; nothing was changed; hint: try again"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_share_connections_and_each_change_has_a_new_one() {
    let bed = Bed::before_one(UNHURRIED, "").await;
    for _ in 0..20 {
        ask(&mut bed.connect().await, read()).await;
    }
    let connections = || bed.servers[0].asked().into_iter().map(|asked| asked.connection);
    let of_reads: Vec<_> = connections().collect();
    assert!(of_reads.iter().all(|connection| *connection == of_reads[0]), "{of_reads:?}");
    for _ in 0..5 {
        ask(&mut bed.connect().await, change()).await;
    }
    let mut of_all: Vec<_> = connections().skip(19).collect();
    of_all.dedup();
    assert_eq!(of_all.len(), 6, "{of_all:?}");
    until("what is not used any more is ended", async || (bed.servers[0].open() == 0).then_some(())).await;
    ask(&mut bed.connect().await, read()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_connections_after_each_answer_costs_nobody_an_error() {
    let bed = Bed::before_one(UNHURRIED, "").await;
    bed.all(Does::AnswersAndEnds);
    let mut client = bed.connect().await;
    for _ in 0..20 {
        ask(&mut client, read()).await;
        ask(&mut client, change()).await;
    }
    assert_eq!(bed.asked().len(), 40);
    // Nor was it taken for one that dies of requests.
    let reads = serde_json::json!({"answered": 20, "given_up": 0, "resent": 0});
    assert_eq!(bed.front.status().await["operations"]["Query"], reads);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_has_no_more_connections_than_it_may_and_the_rest_wait() {
    let bed = Bed::before_one(UNHURRIED, "connections_max = 2\n").await;
    bed.all(Does::Waits);
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..8 {
        let mut client = bed.connect().await;
        asking.spawn(async move {
            match number % 2 {
                0 => ask(&mut client, read()).await,
                _ => ask(&mut client, change()).await,
            }
        });
    }
    bed.until_asked(2).await;
    until("the others were told to wait", async || {
        let sessions = &bed.front.status().await["nodes"][0]["served"];
        (sessions.as_u64().unwrap() >= 6).then_some(())
    })
    .await;
    assert_eq!(bed.asked().len(), 2);
    bed.all(Does::Answers);
    while let Some(answered) = asking.join_next().await {
        assert_eq!(answered.unwrap(), "a");
    }
    assert_eq!((bed.asked().len(), bed.servers[0].open_max()), (8, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_are_answered_in_their_order() {
    let bed = Bed::new(UNHURRIED).await;
    let mut client = bed.connect().await;
    let mut bytes = Vec::new();
    for id in 0..20_u8 {
        let payload = if id % 4 == 0 { change().into() } else { RequestPayload::from(read()) };
        let mut request = RequestMessage::new(ProtocolVersion::V1_2, [payload]);
        request.items[0].unique_batch_item_id = Some(vec![id]);
        request.encode(&mut bytes);
    }
    client.send_raw(&bytes).await.unwrap();
    for id in 0..20_u8 {
        let answer = client.receive_raw().await.unwrap();
        let answer = ResponseMessage::decode(&answer, ttlv::Limits::default()).unwrap();
        assert_eq!(answer.items[0].unique_batch_item_id, Some(vec![id]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_get_no_further_than_the_handshake() {
    let bed = Bed::new(UNHURRIED).await;
    // Of the same name as a client, and a server's own.
    for stranger in [&leaf(&authority("clients' CA"), "vc01", ec_key()), &bed.own] {
        for versions in [TlsVersions::Only12, TlsVersions::Only13] {
            let alert = alert(&bed.config(Some(stranger), versions)).await;
            assert_eq!(alert, AlertDescription::CertificateUnknown);
        }
    }
    for (versions, expected) in [
        (TlsVersions::Only12, AlertDescription::HandshakeFailure),
        (TlsVersions::Only13, AlertDescription::CertificateRequired),
    ] {
        let alert = alert(&bed.config(None, versions)).await;
        assert!(alert == expected || alert == AlertDescription::CertificateRequired, "{alert:?}");
    }
    let said = bed.front.lines("TLS handshake failed");
    assert!(
        said[0].contains("CN=vc01, SHA-256 ")
            && said[0].contains("not in [third_party] clients; hint: add it"),
        "{said:?}"
    );
    ask(&mut bed.connect().await, read()).await;
    assert_eq!(bed.asked().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_authority_in_the_file_lets_none_of_its_leaves_in() {
    let bed = Bed::new(UNHURRIED).await;
    let company = authority("another CA");
    write(bed.front.dir.path(), "clients.pem", &[bed.clients[0].pem(), company.pem()].concat());
    bed.front.reload(&configuration(&bed.servers, UNHURRIED, "")).await;
    let under_it = leaf(&company, "vc03", ec_key());
    let alert = alert(&bed.config(Some(&under_it), TlsVersions::Only13)).await;
    assert_eq!(alert, AlertDescription::CertificateUnknown);
    ask(&mut bed.connect().await, read()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_a_reload_takes_out_is_refused_at_its_next_request_and_others_go_on() {
    let bed = Bed::new(UNHURRIED).await;
    let mut stays = bed.connect().await;
    let config = bed.config(Some(&bed.clients[1]), TlsVersions::Both);
    let mut goes = Client::connect(&config).await.unwrap();
    for client in [&mut stays, &mut goes] {
        ask(client, read()).await;
    }
    write(bed.front.dir.path(), "clients.pem", &bed.clients[0].pem());
    let said = bed.front.reload(&configuration(&bed.servers, UNHURRIED, "")).await;
    assert!(said.contains("the new configuration holds"), "{said}");
    let (reason, text) = refused(&mut goes, read()).await;
    assert_eq!(reason, ResultReason::AuthenticationNotSuccessful);
    assert!(text.contains("was taken out of [third_party] clients; nothing was done; hint: "), "{text}");
    goes.one(read()).await.unwrap_err();
    assert_eq!(alert(&config).await, AlertDescription::CertificateUnknown);
    ask(&mut stays, read()).await;
    assert_eq!(bed.asked().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_authority_is_given_nothing() {
    let (house, other) = (House::new(), House::of("another authority"));
    let servers = vec![Server::start(&house, "a").await, Server::start(&other, "b").await];
    let bed = Bed::before_any(&house, servers, UNHURRIED, "").await;
    bed.front.until_state("a", "Up").await;
    let probed = |status: &serde_json::Value| node_of(status, "b")["outcomes"][0]["failure"].is_string();
    let status = bed.front.until("it was probed", probed).await;
    assert_eq!(node_of(&status, "b")["state"], "Down");
    for _ in 0..6 {
        assert_eq!(ask(&mut bed.connect().await, change()).await, "a");
    }
    assert_eq!(bed.servers[1].asked(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_front_says_that_only_reads_are_replayed_and_probes_as_the_client_that_it_is() {
    let bed = Bed::new(UNHURRIED).await;
    let status = bed.front.status().await;
    assert_eq!(status["mode"], "replay, reads only");
    let caveat = status["caveat"].as_str().unwrap();
    assert!(
        caveat.contains("only reads are given to another node") && caveat.contains("all clients are one")
    );
    assert_eq!(bed.front.lines("only reads are given to another node").len(), 1);
    assert_eq!(
        status["probe"],
        "mutual TLS with Discover Versions and Query, the node's certificate is verified"
    );
    assert!(status["blind_to"].is_null() && status["probe_certificate"]["days_left"].is_number());
    let text = configuration(&bed.servers, UNHURRIED, "") + "[probe]\nkind = \"tcp\"\n";
    bed.front.reload(&text).await;
    assert_eq!(bed.front.status().await["probe"], "TCP connect only");
}
