//! `GET /`: one page, all in one file, with the state as of loading in it.
//!
//! The browser is told to run and fetch nothing but what is in that file: its script and its style by their hashes, which
//! a test holds to the file.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

use crate::admin::{Admin, Ailing};
use crate::status::{Served, Status};

/// The page, with a place for the state as JSON and one for it in words.
const PAGE: &str = include_str!("page/index.html");

const DATA: &str = "{{data}}";
const NOTE: &str = "{{note}}";

/// What the browser may do. Pictures are the one of the tab, which the script paints.
pub const POLICY: &str = "default-src 'none'; script-src 'sha256-6IqA3OU927uVDZYqGecC9JWx9n6Ub/VD5/5veUKisk4='; \
                          style-src 'sha256-7MMCFs6rG0cvqWYRphahev0IJzWYFHjGKnVNJB/Pamw='; connect-src 'self'; img-src data:; \
                          base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) async fn page(State(admin): State<Arc<Admin>>) -> Result<Response, Ailing> {
    let status = admin.status().await?;
    let snapshot = admin.snapshot().await?;
    let html = render(&String::from_utf8_lossy(&snapshot), &note(&status));
    Ok(([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response())
}

fn render(json: &str, note: &str) -> String {
    // Cut before anything is put in, since a node's words could look like a place.
    let (head, rest) = PAGE.split_once(NOTE).unwrap_or((PAGE, ""));
    let (middle, tail) = rest.split_once(DATA).unwrap_or((rest, ""));
    // In JSON it is only in texts, where it could end the script that holds the JSON.
    let json = json.replace('<', "\\u003c");
    [head, &escape(note), middle, &json, tail].concat()
}

/// For who has no script: the state in words.
fn note(status: &Status) -> String {
    let service = match status.service {
        Served::Serving => "Serving",
        Served::Degraded => "Degraded (reads only)",
        Served::Down => "Down",
    };
    let up = status.nodes.iter().filter(|node| node.state == "Up").count();
    let mut text = format!("{service} on {}. {up} of {} nodes Up.", status.listen, status.nodes.len());
    for node in &status.nodes {
        text.push_str(&format!(" {} is {}: {}.", node.name, node.state, node.reason));
    }
    text
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use openssl::base64::encode_block;
    use openssl::sha::sha256;

    use super::*;

    fn between<'a>(from: &str, to: &str) -> &'a str {
        PAGE.split_once(from).and_then(|(_, rest)| rest.split_once(to)).unwrap().0
    }

    #[test]
    fn the_policy_allows_the_script_and_the_style_of_the_page_and_no_other() {
        for (what, from, to) in [("script", "<script>", "</script>"), ("style", "<style>", "</style>")] {
            let hash = encode_block(&sha256(between(from, to).as_bytes()));
            assert!(POLICY.contains(&format!("{what}-src 'sha256-{hash}';")), "{what} has the hash {hash}");
            assert_eq!(PAGE.matches(from).count(), 1);
        }
        assert!(!POLICY.contains("unsafe"));
    }

    #[test]
    fn the_page_asks_for_nothing_outside_itself() {
        // The one address is the name of SVG's namespace.
        assert_eq!(PAGE.matches("://").count(), PAGE.matches("http://www.w3.org/2000/svg").count());
        for attribute in [" src=", " style=", " onclick="] {
            assert!(!PAGE.contains(attribute), "{attribute}");
        }
    }

    #[test]
    fn what_a_node_says_stays_text() {
        let page = render("{\"reason\":\"</script><b>\"}", "</noscript><script>\"&");
        assert!(page.contains("{\"reason\":\"\\u003c/script>\\u003cb>\"}"));
        assert!(page.contains("&lt;/noscript&gt;&lt;script&gt;&quot;&amp;"));
        let page = render("{}", DATA);
        assert!(page.contains(r#"id="data">{}</script>"#));
    }
}
