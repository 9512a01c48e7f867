//! The operator's socket: its walls, its verbs, its errors.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use kms_core::{Client, Rights, Tenant};
use kms_server::operator::{
    self, ClientView, ClusterView, CreatedKey, Denied, Invitation, KeyPage, KeyQuery, KeyView, LogStatus,
    NewClient, NewInvitation, NewKey, NodeRole, NodeView, Operator, Status, TlsStatus,
};
use kms_server::trust::Registration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::support::*;

#[derive(Default)]
struct Fake {
    clients: Mutex<BTreeMap<String, ClientView>>,
    query: Mutex<KeyQuery>,
}

impl Operator for Fake {
    async fn status(&self) -> Result<Status, Denied> {
        Ok(Status {
            node: "node1".into(),
            number: 1,
            role: Some(NodeRole::Leader),
            term: 1,
            leader: Some(1),
            members: 1,
            quorum: true,
            version: "0.1.0".into(),
            started: "2026-01-01T00:00:00Z".into(),
            objects: 0,
            clients: 0,
            log: LogStatus { applied: 3, first: 1, snapshot: 0 },
            tls: TlsStatus {
                subject: "CN=kms".into(),
                not_after: "2027-01-01T00:00:00Z".into(),
                sha1: String::new(),
                sha256: String::new(),
            },
            kmip: "127.0.0.1:5696".into(),
            admin: "127.0.0.1:5698".into(),
        })
    }

    async fn clients(&self) -> Result<Vec<ClientView>, Denied> {
        Ok(self.clients.lock().unwrap().values().cloned().collect())
    }

    async fn add_client(&self, new: NewClient) -> Result<ClientView, Denied> {
        let rights = new.rights.as_deref().map_or_else(Rights::default, operator::Right::only);
        let client = Client { name: new.name.as_str().into(), tenant: Tenant::new(&new.tenant), rights };
        let (registration, certificate) =
            Registration::from_pem(client.clone(), new.trust.kind, &new.trust.pem)
                .map_err(|error| Denied::Invalid(error.to_string()))?;
        let name = |new: Option<operator::NewCredential>| {
            new.map(|new| kms_core::KnownCredential { name: new.name, password_hash: None })
        };
        let registered = kms_core::RegisteredClient {
            client,
            trust: kms_core::Trust {
                kind: new.trust.kind.into(),
                certificate: registration.certificate.as_ref().to_vec(),
            },
            credentials: kms_core::KnownCredentials { user: name(new.user), device: name(new.device) },
            registered_at: 0,
        };
        let view = ClientView::new(&registered, &certificate);
        match self.clients.lock().unwrap().insert(new.name, view.clone()) {
            None => Ok(view),
            Some(_) => Err(Denied::Conflict("the name is taken; hint: choose another".into())),
        }
    }

    async fn remove_client(&self, name: &str) -> Result<(), Denied> {
        let removed = self.clients.lock().unwrap().remove(name);
        removed.map(|_| ()).ok_or_else(|| Denied::NotFound("no such client".into()))
    }

    async fn keys(&self, query: KeyQuery) -> Result<KeyPage, Denied> {
        *self.query.lock().unwrap() = query;
        Ok(KeyPage { keys: Vec::new(), next: None })
    }

    async fn key(&self, id: &str) -> Result<KeyView, Denied> {
        Err(Denied::NotFound(format!("no key {id}")))
    }

    async fn create_key(&self, _: NewKey) -> Result<CreatedKey, Denied> {
        Ok(CreatedKey { id: "b8ae5d3c-0000-4000-8000-000000000001".into() })
    }

    async fn cluster(&self) -> Result<ClusterView, Denied> {
        let node = NodeView {
            number: 1,
            name: "node1".into(),
            link: "192.0.2.1:5697".into(),
            kmip: "192.0.2.1:5696".into(),
            role: NodeRole::Leader,
            reachable: true,
            applied: Some(3),
            lag: None,
        };
        Ok(ClusterView { number: 1, term: 1, leader: Some(1), quorum: true, nodes: vec![node] })
    }

    async fn invite(&self, new: NewInvitation) -> Result<Invitation, Denied> {
        Ok(Invitation { token: format!("kms1.{}", new.valid_s), expires: "2026-01-01T00:00:00Z".into() })
    }

    async fn promote_node(&self, number: u64) -> Result<(), Denied> {
        self.remove_node(number).await
    }

    async fn remove_node(&self, number: u64) -> Result<(), Denied> {
        match number {
            2 => Ok(()),
            _ => Err(Denied::Conflict(format!("node {number} is not a member"))),
        }
    }

    async fn backup(&self) -> Result<Body, Denied> {
        Ok(Body::from("all of it"))
    }
}

async fn ask(socket: &Path, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: kms\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let status = response[9..12].parse().unwrap();
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test]
async fn the_operators_verbs_do_what_the_contract_says() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("admin.sock");
    let fake = Arc::new(Fake::default());
    let listener = operator::bind(&socket).unwrap();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(operator::bind(&socket).unwrap_err().to_string().contains("another server"));
    tokio::spawn(operator::serve(listener, fake.clone()));

    let (status, body) = ask(&socket, "GET", "/v1/status", "").await;
    assert_eq!((status, &body["log"]["applied"]), (200, &3.into()));

    let pem = Make::default().make().pem();
    let new = serde_json::json!({"name": "vc01", "tenant": "lab", "trust": {"kind": "pinned", "pem": pem}});
    let (status, body) = ask(&socket, "POST", "/v1/clients", &new.to_string()).await;
    assert_eq!(status, 201, "{body}");
    assert_eq!(body["rights"], serde_json::json!(["read", "create", "change"]));
    assert_eq!(body["trust"]["subject"], "CN=vc01");
    let (status, body) = ask(&socket, "POST", "/v1/clients", &new.to_string()).await;
    assert_eq!(
        (status, &body["error"], &body["hint"]),
        (409, &"the name is taken".into(), &"choose another".into())
    );
    let (status, body) = ask(&socket, "GET", "/v1/clients", "").await;
    assert_eq!((status, body.as_array().unwrap().len()), (200, 1));
    assert_eq!(ask(&socket, "GET", "/v1/clients/vc01", "").await.0, 200);
    assert_eq!(ask(&socket, "DELETE", "/v1/clients/vc01", "").await.0, 204);
    assert_eq!(ask(&socket, "DELETE", "/v1/clients/vc01", "").await.0, 404);
    assert_eq!(ask(&socket, "GET", "/v1/clients/vc01", "").await.0, 404);

    assert_eq!(ask(&socket, "GET", "/v1/keys?tenant=lab&limit=100000", "").await.0, 200);
    assert_eq!(fake.query.lock().unwrap().limit, Some(operator::KEYS_PER_PAGE_MAX));
    assert_eq!(ask(&socket, "GET", "/v1/keys/absent", "").await.0, 404);
    let (status, body) = ask(&socket, "POST", "/v1/keys", r#"{"tenant": "lab"}"#).await;
    assert_eq!((status, body["id"].is_string()), (201, true));
}

#[tokio::test]
async fn the_clusters_verbs_do_what_the_contract_says() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("admin.sock");
    tokio::spawn(operator::serve(operator::bind(&socket).unwrap(), Arc::new(Fake::default())));

    let (status, body) = ask(&socket, "GET", "/v1/cluster", "").await;
    assert_eq!((status, &body["nodes"][0]["role"]), (200, &"leader".into()));
    assert_eq!((&body["nodes"][0]["lag"], &body["quorum"]), (&serde_json::Value::Null, &true.into()));
    let (status, body) = ask(&socket, "POST", "/v1/cluster/invitations", "{}").await;
    assert_eq!((status, &body["token"]), (201, &"kms1.3600".into()), "an hour when nothing is said");
    assert_eq!(ask(&socket, "POST", "/v1/cluster/nodes/2/promote", "").await.0, 204);
    assert_eq!(ask(&socket, "DELETE", "/v1/cluster/nodes/2", "").await.0, 204);
    let (status, body) = ask(&socket, "DELETE", "/v1/cluster/nodes/9", "").await;
    assert_eq!((status, &body["error"]), (409, &"node 9 is not a member".into()));
    assert_eq!(ask(&socket, "DELETE", "/v1/cluster/nodes/two", "").await.0, 400);
    assert_eq!(ask(&socket, "POST", "/v1/backup", "").await.0, 200);
}

#[tokio::test]
async fn a_wrong_request_is_told_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("admin.sock");
    tokio::spawn(operator::serve(operator::bind(&socket).unwrap(), Arc::new(Fake::default())));
    let pem = Make::default().make().pem();
    let trust = serde_json::json!({"kind": "pinned", "pem": pem});
    let wrong = [
        "{".to_owned(),
        serde_json::json!({"name": "../x", "tenant": "lab", "trust": trust}).to_string(),
        serde_json::json!({"name": "vc01", "tenant": "", "trust": trust}).to_string(),
        serde_json::json!({"name": "vc01", "tenant": "lab", "trust": trust, "extra": 1}).to_string(),
        serde_json::json!({"name": "vc01", "tenant": "lab", "trust": {"kind": "magic", "pem": ""}})
            .to_string(),
        serde_json::json!({"name": "vc01", "tenant": "lab", "trust": {"kind": "ca", "pem": "no"}})
            .to_string(),
    ];
    for body in wrong {
        let (status, answer) = ask(&socket, "POST", "/v1/clients", &body).await;
        assert_eq!((status, answer["error"].is_string()), (400, true), "{body}: {answer}");
    }
    assert_eq!(ask(&socket, "GET", "/v1/keys?limit=many", "").await.0, 400);
    assert_eq!(ask(&socket, "GET", "/v2", "").await.0, 404);
    assert_eq!(ask(&socket, "POST", "/v1/clients", &" ".repeat(operator::BODY_BYTES_MAX + 1)).await.0, 413);
}
