//! The operator's socket: HTTP/1.1 with JSON over `<data>/admin.sock`, for the `kms` command.
//!
//! The wall is the file's mode (0600 in a 0700 directory); the kernel's word on who connects is the second. Errors
//! are `{"error": "...", "hint": "..."}`. It never gives key material.

use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use daemon::operator::Socket;
use serde::de::DeserializeOwned;

pub use self::model::*;
use crate::credentials::PASSWORD_BYTES_MAX;

mod model;

/// Bytes of a request's body; a certificate chain in PEM is the largest. More is answered with 413.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Who carries out what the operator asks. A change is on disk and in force when its future is done.
pub trait Operator: Send + Sync + 'static {
    /// How the node is.
    fn status(&self) -> impl Future<Output = Result<Status, Denied>> + Send;
    /// All clients, by name.
    fn clients(&self) -> impl Future<Output = Result<Vec<ClientView>, Denied>> + Send;
    /// Registers a client. [`Denied::Conflict`] when its name or certificate is taken.
    fn add_client(&self, new: NewClient) -> impl Future<Output = Result<ClientView, Denied>> + Send;
    /// Forgets a client; its tenant's objects stay.
    fn remove_client(&self, name: &str) -> impl Future<Output = Result<(), Denied>> + Send;
    /// A page of keys.
    fn keys(&self, query: KeyQuery) -> impl Future<Output = Result<KeyPage, Denied>> + Send;
    /// One key with all its attributes.
    fn key(&self, id: &str) -> impl Future<Output = Result<KeyView, Denied>> + Send;
    /// Makes an active AES-256 key.
    fn create_key(&self, new: NewKey) -> impl Future<Output = Result<CreatedKey, Denied>> + Send;
    /// The cluster, as its leader sees it.
    fn cluster(&self) -> impl Future<Output = Result<ClusterView, Denied>> + Send;
    /// Makes a token with which one new node may join.
    fn invite(&self, new: NewInvitation) -> impl Future<Output = Result<Invitation, Denied>> + Send;
    /// Gives a learner a vote.
    fn promote_node(&self, number: u64) -> impl Future<Output = Result<(), Denied>> + Send;
    /// Removes a node; its number is never used again.
    fn remove_node(&self, number: u64) -> impl Future<Output = Result<(), Denied>> + Send;
    /// A backup of all that is held, as a stream of bytes.
    fn backup(&self) -> impl Future<Output = Result<Body, Denied>> + Send;
}

/// Opens the socket with mode 0600. A file that an ended server left is replaced.
///
/// Fails when another server listens there, or the path is taken by something else.
pub fn bind(path: &Path) -> io::Result<Socket> {
    Socket::bind(path, "server")
}

/// Serves until the future is dropped.
pub async fn serve<O: Operator>(socket: Socket, operator: Arc<O>) -> io::Result<()> {
    socket.serve(router(operator)).await
}

fn router<O: Operator>(operator: Arc<O>) -> Router {
    Router::new()
        .route("/v1/status", get(status::<O>))
        .route("/v1/clients", get(clients::<O>).post(add_client::<O>))
        .route("/v1/clients/{name}", get(client::<O>).delete(remove_client::<O>))
        .route("/v1/keys", get(keys::<O>).post(create_key::<O>))
        .route("/v1/keys/{id}", get(key::<O>))
        .route("/v1/cluster", get(cluster::<O>))
        .route("/v1/cluster/invitations", post(invite::<O>))
        .route("/v1/cluster/nodes/{number}", delete(remove_node::<O>))
        .route("/v1/cluster/nodes/{number}/promote", post(promote_node::<O>))
        .route("/v1/backup", post(backup::<O>))
        .fallback(|| async {
            Denied::NotFound("no such path; hint: GET /v1/status".to_owned()).into_response()
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(operator)
}

type Answer<T> = Result<T, Denied>;

async fn status<O: Operator>(State(operator): State<Arc<O>>) -> Answer<Json<Status>> {
    operator.status().await.map(Json)
}

async fn clients<O: Operator>(State(operator): State<Arc<O>>) -> Answer<Json<Vec<ClientView>>> {
    operator.clients().await.map(Json)
}

async fn client<O: Operator>(
    State(operator): State<Arc<O>>,
    UrlPath(name): UrlPath<String>,
) -> Answer<Json<ClientView>> {
    let found = operator.clients().await?.into_iter().find(|client| client.name == name);
    found.map(Json).ok_or_else(|| Denied::NotFound(format!("no client \"{name}\"; hint: kms client list")))
}

async fn add_client<O: Operator>(State(operator): State<Arc<O>>, body: Bytes) -> Answer<Response> {
    let new: NewClient = parse(&body)?;
    check_name("name", &new.name)?;
    check_name("tenant", &new.tenant)?;
    check_credential("user name", new.user.as_ref())?;
    check_credential("device serial number", new.device.as_ref())?;
    if new.user.as_ref().is_some_and(|user| user.password.is_none()) {
        return Err(Denied::Invalid("a user name goes with a password".to_owned()));
    }
    let client = operator.add_client(new).await?;
    Ok((StatusCode::CREATED, Json(client)).into_response())
}

fn check_credential(what: &str, credential: Option<&NewCredential>) -> Answer<()> {
    let Some(credential) = credential else { return Ok(()) };
    let characters = credential.name.chars().count();
    if !(1..=CREDENTIAL_CHARACTERS_MAX).contains(&characters) {
        return Err(Denied::Invalid(format!(
            "a {what} has 1 to {CREDENTIAL_CHARACTERS_MAX} characters, got {characters}"
        )));
    }
    let bytes = credential.password.as_ref().map_or(1, |password| password.danger_bytes().len());
    if !(1..=PASSWORD_BYTES_MAX).contains(&bytes) {
        return Err(Denied::Invalid(format!(
            "the password of a {what} has 1 to {PASSWORD_BYTES_MAX} bytes, got {bytes}"
        )));
    }
    Ok(())
}

async fn remove_client<O: Operator>(
    State(operator): State<Arc<O>>,
    UrlPath(name): UrlPath<String>,
) -> Answer<StatusCode> {
    operator.remove_client(&name).await.map(|()| StatusCode::NO_CONTENT)
}

async fn keys<O: Operator>(
    State(operator): State<Arc<O>>,
    query: Result<Query<KeyQuery>, QueryRejection>,
) -> Answer<Json<KeyPage>> {
    let Query(mut query) = query.map_err(|error| Denied::Invalid(error.body_text()))?;
    query.limit = Some(query.limit.unwrap_or(KEYS_PER_PAGE).clamp(1, KEYS_PER_PAGE_MAX));
    operator.keys(query).await.map(Json)
}

async fn key<O: Operator>(
    State(operator): State<Arc<O>>,
    UrlPath(id): UrlPath<String>,
) -> Answer<Json<KeyView>> {
    operator.key(&id).await.map(Json)
}

async fn create_key<O: Operator>(State(operator): State<Arc<O>>, body: Bytes) -> Answer<Response> {
    let new: NewKey = parse(&body)?;
    check_name("tenant", &new.tenant)?;
    let created = operator.create_key(new).await?;
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

async fn cluster<O: Operator>(State(operator): State<Arc<O>>) -> Answer<Json<ClusterView>> {
    operator.cluster().await.map(Json)
}

async fn invite<O: Operator>(State(operator): State<Arc<O>>, body: Bytes) -> Answer<Response> {
    let invitation = operator.invite(parse(&body)?).await?;
    Ok((StatusCode::CREATED, Json(invitation)).into_response())
}

async fn promote_node<O: Operator>(
    State(operator): State<Arc<O>>,
    UrlPath(number): UrlPath<u64>,
) -> Answer<StatusCode> {
    operator.promote_node(number).await.map(|()| StatusCode::NO_CONTENT)
}

async fn remove_node<O: Operator>(
    State(operator): State<Arc<O>>,
    UrlPath(number): UrlPath<u64>,
) -> Answer<StatusCode> {
    operator.remove_node(number).await.map(|()| StatusCode::NO_CONTENT)
}

async fn backup<O: Operator>(State(operator): State<Arc<O>>) -> Answer<Response> {
    let body = operator.backup().await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    serde_json::from_slice(body).map_err(|error| Denied::Invalid(format!("the request's JSON: {error}")))
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(self.body())).into_response()
    }
}
