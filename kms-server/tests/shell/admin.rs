//! The admin port: liveness, readiness with reasons, metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kms_server::admin::{self, Admin, Health, Readiness};
use kms_server::metrics::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use crate::support::identity;

#[derive(Default)]
struct Fake {
    broken: AtomicBool,
    cut_off: AtomicBool,
}

impl Health for Fake {
    fn ailing(&self) -> Option<String> {
        self.broken.load(Ordering::Relaxed).then(|| "the log ended".to_owned())
    }

    fn syncs(&self) -> u64 {
        7
    }

    async fn readiness(&self) -> Readiness {
        let fault: Vec<String> = self.ailing().into_iter().collect();
        let cut_off = self.cut_off.load(Ordering::Relaxed).then(|| "no majority".to_owned());
        Readiness { cannot_read: fault.clone(), cannot_write: fault.into_iter().chain(cut_off).collect() }
    }
}

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: kms\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[tokio::test]
async fn readiness_gives_its_reasons_and_metrics_follow_it() {
    let dir = tempfile::tempdir().unwrap();
    let health = Arc::new(Fake::default());
    let (drain, draining) = watch::channel(false);
    let metrics = Arc::new(Metrics::new("0.1.0", "node1"));
    metrics.request("Get", "Success");
    let admin = Admin {
        health: health.clone(),
        metrics,
        clock: Arc::default(),
        identity: Arc::new(identity(dir.path())),
        draining,
    };
    let listener = admin::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(admin::serve(listener, Arc::new(admin)));

    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200 "));
    let ready = get(address, "/readyz").await;
    assert!(
        ready.starts_with("HTTP/1.1 200 ")
            && ready.ends_with("{\"ready\":true,\"read\":true,\"write\":true,\"reasons\":[]}"),
        "{ready}"
    );
    let text = get(address, "/metrics").await;
    for line in [
        "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8",
        "kms_requests_total{operation=\"Get\",result=\"Success\"} 1",
        "kms_build_info{version=\"0.1.0\",node=\"node1\"} 1",
        "kms_ready 1",
        "kms_writable 1",
        "kms_log_syncs_total 7",
        "kms_certificate_days_left ",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }

    health.cut_off.store(true, Ordering::Relaxed);
    let cut_off = get(address, "/readyz").await;
    let body = "{\"ready\":false,\"read\":true,\"write\":false,\"reasons\":[\"no majority\"]}";
    assert!(cut_off.starts_with("HTTP/1.1 503 ") && cut_off.ends_with(body), "{cut_off}");
    let text = get(address, "/metrics").await;
    assert!(text.contains("kms_ready 1") && text.contains("kms_writable 0"), "{text}");
    health.cut_off.store(false, Ordering::Relaxed);

    health.broken.store(true, Ordering::Relaxed);
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 503 "));
    assert!(get(address, "/readyz").await.contains("\"the log ended\""));
    assert!(get(address, "/metrics").await.contains("kms_ready 0"));
    health.broken.store(false, Ordering::Relaxed);
    drain.send_replace(true);
    let draining = get(address, "/readyz").await;
    assert!(draining.starts_with("HTTP/1.1 503 ") && draining.contains("draining"), "{draining}");
    assert!(get(address, "/v1/clients").await.starts_with("HTTP/1.1 404 "));
}
