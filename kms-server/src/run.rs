//! The server's life: open all ports, serve, reload on SIGHUP, drain on SIGTERM or SIGINT.

use std::fs::DirBuilder;
use std::future::pending;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use daemon::life::{NotifyState, lifeline, notify};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::admin::{self, Admin, Health};
use crate::audit::Audit;
use crate::certificate::utc;
use crate::clock::Clock;
use crate::config::Config;
use crate::https;
use crate::identity::Identity;
use crate::links::{self, LinkIdentity};
use crate::listener::{self, Kmip, Speaks, Tls};
use crate::metrics::Metrics;
use crate::operator::{self, Operator};
use crate::session::Service;
use crate::tls;
use crate::tls::old::{Acceptor, Old};
use crate::trust::LiveTrust;

/// The name of the operator's socket in the data directory.
pub const OPERATOR_SOCKET: &str = "admin.sock";

/// Days before the server certificate's end from which each start and reload warns of it.
const CERTIFICATE_WARNING_DAYS: i64 = 30;

/// What the shell and the node share; made before the node is opened.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The checked configuration.
    pub config: Arc<Config>,
    /// The trust in force; the node replaces it when a client is added or removed.
    pub trust: Arc<LiveTrust>,
    /// The server certificate in force.
    pub identity: Arc<Identity>,
    /// What time it is.
    pub clock: Arc<Clock>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The audit.
    pub audit: Arc<Audit>,
    /// What it shows other nodes; none for a node without `[cluster]`.
    pub links: Option<LinkIdentity>,
    /// Whether the server ends when its standard input closes.
    pub lifeline: bool,
    /// Turned true when the server begins to end.
    pub drain: watch::Sender<bool>,
}

impl Shared {
    /// From a checked configuration. Makes the data directory, and opens the audit file.
    pub fn new(config: Config, clock: Arc<Clock>, lifeline: bool) -> anyhow::Result<Self> {
        make_data_dir(&config.data_dir)?;
        let audit = match &config.audit_file {
            Some(path) => Audit::to_file(path)?,
            None => Audit::to_log(config.log.format)?,
        };
        let links = match &config.cluster {
            Some(cluster) => Some(cluster.identity(clock.system_seconds()).map_err(anyhow::Error::msg)?),
            None => None,
        };
        let kmip = &config.kmip;
        let identity =
            Identity::new(kmip.certificate.clone(), kmip.key.clone(), kmip.loaded.clone()).held_to(kmip.tls);
        Ok(Self {
            trust: Arc::default(),
            clock,
            lifeline,
            drain: watch::Sender::new(false),
            links,
            identity: Arc::new(identity),
            metrics: Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"), &config.node)),
            audit: Arc::new(audit),
            config: Arc::new(config),
        })
    }
}

fn make_data_dir(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot make the data directory {}", path.display()))
}

/// Serves `node` until SIGTERM or SIGINT, then drains.
///
/// Fails when a port or the operator's socket cannot be opened; nothing is served then.
pub async fn run<N>(shared: Shared, node: Arc<N>) -> anyhow::Result<()>
where
    N: Service + Operator + Health + links::Handler,
{
    let config = Arc::clone(&shared.config);
    // Signals before ports: one that arrives while ports open must not end the process by default.
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let hang_up = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;

    let draining = shared.drain.subscribe();
    let tls = Arc::new(tls::server_config(shared.identity.clone(), shared.trust.clone(), config.kmip.tls)?);
    let modern = Tls::Modern(tls);
    let kmip = |tls: &Tls, speaks| {
        Arc::new(Kmip {
            service: Arc::clone(&node),
            tls: tls.clone(),
            trust: Arc::clone(&shared.trust),
            clock: Arc::clone(&shared.clock),
            metrics: Arc::clone(&shared.metrics),
            connections_max: config.limits.connections_max,
            handshake_timeout: config.limits.handshake_timeout,
            drain_timeout: config.limits.drain_timeout,
            bounds: config.limits.connection.clone(),
            limits: config.limits.ttlv,
            speaks,
        })
    };
    let admin = Arc::new(Admin {
        health: Arc::clone(&node),
        metrics: Arc::clone(&shared.metrics),
        clock: Arc::clone(&shared.clock),
        identity: Arc::clone(&shared.identity),
        draining: draining.clone(),
    });
    let socket = config.data_dir.join(OPERATOR_SOCKET);
    let operator_port = operator::bind(&socket)
        .with_context(|| format!("cannot open the operator's socket {}", socket.display()))?;
    let admin_port = admin::bind(config.admin_listen)
        .await
        .with_context(|| format!("cannot open the admin port {} ([admin] listen)", config.admin_listen))?;
    let kmip_port = listener::bind(config.kmip.listen)
        .with_context(|| format!("cannot open the KMIP port {} ([kmip] listen)", config.kmip.listen))?;
    let kmip_at = kmip_port.local_addr()?;
    let mut client_ports = vec![(kmip_port, kmip(&modern, Speaks::Ttlv))];
    if let Some(address) = config.https_listen {
        let port = listener::bind(address)
            .with_context(|| format!("cannot open the port of HTTPS {address} ([https] listen)"))?;
        info!(https = %port.local_addr()?, path = https::PATH, "open to KMIP over HTTPS");
        client_ports.push((port, kmip(&modern, Speaks::Http)));
    }
    if let Some((address, old)) = config.old_clients {
        let port = listener::bind(address).with_context(|| {
            format!("cannot open the port of old clients {address} ([old_clients] listen)")
        })?;
        warn_of_old(&port.local_addr()?.to_string(), old);
        let acceptor = Acceptor::new(Arc::clone(&shared.identity), old)
            .context("OpenSSL cannot do what [old_clients] switches on")?;
        client_ports.push((port, kmip(&Tls::Old(Arc::new(acceptor)), Speaks::Ttlv)));
    }
    let (drain_links, links_draining) = watch::channel(false);
    let mut link_task = None;
    if let (Some(cluster), Some(identity)) = (&config.cluster, &shared.links) {
        let port = listener::bind(cluster.listen).with_context(|| {
            format!("cannot open the port of the links {} ([cluster] listen)", cluster.listen)
        })?;
        info!(links = %port.local_addr()?, advertise = cluster.advertise, "open to other nodes");
        let handler = Arc::clone(&node) as Arc<dyn links::Handler>;
        let bounds = links::Bounds::default();
        let served = links::serve(port, identity.clone(), handler, bounds, links_draining.clone());
        link_task = Some(tokio::spawn(served));
    }
    let admin_at = admin_port.local_addr()?;

    let admin_task = tokio::spawn(admin::serve(admin_port, admin));
    let operator_task = tokio::spawn(operator::serve(operator_port, node));
    let mut client_tasks = JoinSet::new();
    for (port, kmip) in client_ports {
        client_tasks.spawn(listener::serve(port, kmip, draining.clone()));
    }
    let reload_task = tokio::spawn(reload_on(hang_up, shared.clone()));
    let leaf = shared.identity.leaf();
    info!(kmip = %kmip_at, admin = %admin_at, node = %config.node, certificate = %leaf, "serving");
    warn_of_expiry(&shared);
    notify(&[NotifyState::Ready]);

    let ended = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        () = lifeline(shared.lifeline) => "standard input closed",
    };
    notify(&[NotifyState::Stopping]);
    info!("{ended}: no new connections; requests in hand are finished within drain_timeout_ms");
    shared.drain.send_replace(true);
    let mut cut = 0;
    while let Some(ended) = client_tasks.join_next().await {
        match ended {
            Ok(more) => cut += more,
            Err(error) => error!("a listener for clients ended badly: {error}"),
        }
    }
    match cut {
        0 => info!("drained"),
        _ => warn!("{cut} connections were cut: they had not finished within drain_timeout_ms"),
    }
    for task in [Some(admin_task), Some(operator_task)].into_iter().flatten() {
        task.abort();
    }
    // The links last: what drained may have had to go to the leader.
    drain_links.send_replace(true);
    if let Some(Err(error)) = async { Some(link_task?.await) }.await {
        error!("the links ended badly: {error}");
    }
    reload_task.abort();
    // The socket's file goes with its server; a file left behind is replaced at the next start anyway.
    let _ = std::fs::remove_file(&socket);
    Ok(())
}

async fn reload_on(mut hang_up: Signal, shared: Shared) {
    loop {
        if hang_up.recv().await.is_none() {
            return pending().await;
        }
        reload(&shared);
    }
}

/// Reads the server certificate again and follows a rotated audit file; says what changed, or why not.
fn reload(shared: &Shared) {
    match shared.identity.reload(shared.clock.system_seconds()) {
        Ok(what) => {
            info!("SIGHUP: {what}");
        }
        Err(mistakes) => {
            for mistake in mistakes {
                error!("SIGHUP: the server certificate in force stays: {mistake}");
            }
        }
    }
    match shared.links.as_ref().map(|links| links.reload(shared.clock.system_seconds())) {
        Some(Ok(what)) => info!("SIGHUP: {what}"),
        Some(Err(mistakes)) => {
            for mistake in mistakes {
                error!("SIGHUP: the node certificate in force stays: {mistake}");
            }
        }
        None => {}
    }
    warn_of_expiry(shared);
    if let Err(mistake) = shared.audit.reopen() {
        error!("SIGHUP: {mistake}");
    }
}

/// Says at each start what the port of old clients lets in.
fn warn_of_old(port: &str, old: Old) {
    warn!(
        port,
        "open to old clients by OpenSSL; hint: close it when the last of them is gone, [old_clients] listen"
    );
    for (key, _, cost) in old.switches().into_iter().filter(|(_, on, _)| *on) {
        warn!(port, "[old_clients] {key} lets in {cost}");
    }
}

fn warn_of_expiry(shared: &Shared) {
    let now = shared.clock.system_seconds();
    let server = Some(("server", shared.identity.leaf().not_after));
    let node = shared.links.as_ref().map(|links| ("node", links.leaf().not_after));
    for (whose, not_after) in [server, node].into_iter().flatten() {
        let days = (not_after - now) / 86_400;
        if days < CERTIFICATE_WARNING_DAYS {
            warn!(
                "the {whose} certificate expires in {days} days, at {}; hint: renew it, then send SIGHUP; the server's is \
                 the same on every node, each node's is its own",
                utc(not_after)
            );
        }
    }
}
