//! `kms bench` as a process, against a real server.

use speed::Stand;

#[tokio::test]
async fn every_operation_of_the_bench_is_answered_rightly_by_our_server() {
    let stand = Stand::start().await.unwrap();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for (operation, more) in [
        ("get", "--keys 5"),
        ("get", "--keys 5 --new-connection --tls 1.2"),
        ("get", "--keys 5 --new-connection --tls 1.3"),
        ("create", ""),
        ("get-attributes", "--keys 5"),
        ("locate", ""),
        ("query", ""),
        ("mix", "--keys 5"),
        ("vcenter", ""),
    ] {
        let figures = stand.bench(operation, 3, &words(more)).run_requests(20).await.unwrap();
        assert_eq!((figures.done, figures.errors), (20, 0), "{operation} {more}");
        assert!(figures.per_second > 0.0 && figures.latency_us.p50 <= figures.latency_us.p99);
    }
    let creates = stand.counter("kms_requests_total{operation=\"Create\",result=\"Success\"}").await.unwrap();
    assert!(creates >= 40.0, "{creates}");
}

#[tokio::test]
async fn a_load_whose_requests_fail_ends_badly() {
    let stand = Stand::start().await.unwrap();
    let words = ["--id".to_owned(), "00000000-0000-4000-8000-000000000000".to_owned()];
    let error = stand.bench("get", 1, &words).run_requests(3).await.unwrap_err().to_string();
    assert!(error.contains("3 requests failed") && error.contains("ItemNotFound"), "{error}");
}
